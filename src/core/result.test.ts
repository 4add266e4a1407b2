import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { all, andThen, attempt, type Err, err, isPromiseLike, map, mapErr, ok, type Result } from "./result.ts";

const results = fc.oneof(
  fc.anything().map((value): Result<unknown, unknown> => ok(value)),
  fc.anything().map((fault): Result<unknown, unknown> => err(fault)),
);

/** Drives a generator as a handler is driven: ends at the first Err that it yields. */
function drive<T, F>(steps: Generator<Err<F>, T, unknown>): Result<T, F> {
  const step = steps.next();
  if (step.done) return ok(step.value);
  steps.return(undefined as T);
  return step.value;
}

test("ok() carries nothing and is one shared object that nobody can change", () => {
  assert.equal(ok(), ok());
  assert.equal(ok().value, undefined);
  assert.throws(() => Object.assign(ok(), { value: 1 }), TypeError);
});

test("map and mapErr change their own side alone", () => {
  assert.deepEqual(
    map(ok(2), (n) => n * 2),
    ok(4),
  );
  assert.deepEqual(
    map(err("no") as Result<number, string>, (n) => n * 2),
    err("no"),
  );
  assert.deepEqual(
    mapErr(err("no"), (text) => text.length),
    err(2),
  );
  assert.deepEqual(
    mapErr(ok(2) as Result<number, string>, (text) => text.length),
    ok(2),
  );
});

test("andThen stops at the first failure and obeys the laws of a monad", () => {
  const half = (n: number): Result<number, string> => (n % 2 === 0 ? ok(n / 2) : err(`${n} is odd`));
  const less = (n: number): Result<number, string> => (n > 0 ? ok(n - 1) : err("nothing left"));
  fc.assert(
    fc.property(fc.integer(), results as fc.Arbitrary<Result<number, string>>, (n, result) => {
      assert.deepEqual(andThen(ok(n), half), half(n));
      assert.deepEqual(andThen(result, ok), result);
      const start: Result<number, string> = ok(n);
      assert.deepEqual(
        andThen(andThen(start, half), less),
        andThen(start, (m) => andThen(half(m), less)),
      );
    }),
  );
});

test("all gives the values in order, or the first failure in order", () => {
  assert.deepEqual(all([ok(1), ok("a"), ok(true)]), ok([1, "a", true]));
  assert.deepEqual(all([]), ok([]));
  fc.assert(
    fc.property(fc.array(results), (list) => {
      const joined = all(list);
      const failure = list.find((result) => !result.ok);
      assert.equal(joined.ok, failure === undefined);
      if (joined.ok) {
        assert.deepEqual(
          joined.value,
          list.map((result) => (result as { value: unknown }).value),
        );
      } else assert.equal(joined, failure);
    }),
  );
});

test("attempt turns a throw into a failure", () => {
  const thrown = new Error("broken");
  const fail = (): number => {
    throw thrown;
  };
  assert.deepEqual(
    attempt(() => 1),
    ok(1),
  );
  assert.deepEqual(attempt(fail), err(thrown));
  assert.deepEqual(
    attempt(fail, (cause) => (cause as Error).message),
    err("broken"),
  );
});

test("attempt awaits a promise, and a rejection is a failure too", async () => {
  assert.deepEqual(await attempt(() => Promise.resolve(1)), ok(1));
  assert.deepEqual(
    await attempt(
      () => Promise.reject(new Error("later")),
      (cause) => (cause as Error).message,
    ),
    err("later"),
  );
  assert.deepEqual(
    await attempt(
      async (): Promise<number> => {
        await Promise.resolve();
        throw new Error("inside");
      },
      () => "mapped",
    ),
    err("mapped"),
  );
});

test("yield* continues with the value or ends with the fault", () => {
  const reached: string[] = [];
  function* steps(first: Result<number, "a">, second: Result<number, "b">): Generator<Err<"a" | "b">, number, unknown> {
    try {
      const one = yield* first;
      reached.push("one");
      const two = yield* second;
      reached.push("two");
      return one + two;
    } finally {
      reached.push("end");
    }
  }
  assert.deepEqual(drive(steps(ok(1), ok(2))), ok(3));
  assert.deepEqual(reached.splice(0), ["one", "two", "end"]);
  assert.deepEqual(drive(steps(ok(1), err("b"))), err("b"));
  assert.deepEqual(reached.splice(0), ["one", "end"]);
  assert.deepEqual(drive(steps(err("a"), err("b"))), err("a"));
  assert.deepEqual(reached, ["end"]);
});

test("a generator that is resumed after its fault says who may drive it", () => {
  const steps = err("no")[Symbol.iterator]();
  steps.next();
  assert.throws(() => steps.next(), /Only Tensile may drive/);
});

test("isPromiseLike knows thenables from other values", () => {
  assert.ok(isPromiseLike(Promise.resolve()));
  assert.ok(isPromiseLike({ then: () => undefined }));
  for (const value of [undefined, null, 1, "then", {}, { then: 1 }]) assert.ok(!isPromiseLike(value));
});
