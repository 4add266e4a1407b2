/**
 * `Result<T, F>`: what every operation, job, step and client call returns. `Ok` and `Err` can be iterated, so that inside a
 * generator `yield*` is an early return: `const rows = yield* await openSource()` continues with the value or ends the
 * handler with the fault (Rust's `?`).
 */
export type Result<T, F> = Ok<T> | Err<F>;

export class Ok<out T> {
  readonly ok = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  // oxlint-disable-next-line require-yield -- an Ok has nothing to stop for
  *[Symbol.iterator](): Generator<never, T, unknown> {
    return this.value;
  }
}

export class Err<out F> {
  readonly ok = false;
  readonly fault: F;

  constructor(fault: F) {
    this.fault = fault;
  }

  *[Symbol.iterator](): Generator<Err<F>, never, unknown> {
    yield this;
    throw new Error(
      "A handler was resumed after it had ended with a fault. Only Tensile may drive a handler's generator.",
    );
  }
}

// V8 makes code for what a field has held so far, and throws all of it away when that turns out to be too narrow. So it is told at once: any value.
void [new Ok(0), new Ok(""), new Err(0), new Err("")];

/** A success that carries no value: shared, because it is frozen. */
const okVoid: Ok<undefined> = Object.freeze(new Ok(undefined));

/** Wraps a value as a success. */
export function ok(): Ok<undefined>;
export function ok<T>(value: T): Ok<T>;
export function ok<T>(value?: T): Ok<T | undefined> {
  return value === undefined ? okVoid : new Ok(value);
}

/** Wraps a fault as a failure. */
export function err<F>(fault: F): Err<F> {
  return new Err(fault);
}

/** Applies `f` to the value of a success; a failure passes through. */
export function map<T, F, U>(result: Result<T, F>, f: (value: T) => U): Result<U, F> {
  return result.ok ? new Ok(f(result.value)) : result;
}

/** Applies `f` to the fault of a failure; a success passes through. */
export function mapErr<T, F, G>(result: Result<T, F>, f: (fault: F) => G): Result<T, G> {
  return result.ok ? result : new Err(f(result.fault));
}

/** Continues a success with another step that may fail; a failure passes through. */
export function andThen<T, F, U, G>(result: Result<T, F>, f: (value: T) => Result<U, G>): Result<U, F | G> {
  return result.ok ? f(result.value) : result;
}

/**
 * Joins results into one: the values in order when all succeeded, else the first failure in order.
 *
 * @example
 * const both = all([ok(1), ok("a")]); // Result<[number, string], never>
 */
export function all<const R extends readonly Result<unknown, unknown>[]>(
  results: R,
): Result<{ -readonly [K in keyof R]: R[K] extends Result<infer T, unknown> ? T : never }, FaultOf<R[number]>>;
export function all(results: readonly Result<unknown, unknown>[]): Result<unknown[], unknown> {
  const values: unknown[] = [];
  for (const result of results) {
    if (!result.ok) return result;
    values.push(result.value);
  }
  return new Ok(values);
}

/**
 * Turns a throwing call into a Result. `onThrow` says which fault a thrown value means; without it the fault is the thrown value.
 * A promise is awaited: a rejection is a failure too.
 *
 * @example
 * const parsed = attempt(() => JSON.parse(text) as unknown, () => "not JSON");
 */
export function attempt<T, F = unknown>(
  call: () => PromiseLike<T>,
  onThrow?: (thrown: unknown) => F,
): Promise<Result<T, F>>;
export function attempt<T, F = unknown>(call: () => T, onThrow?: (thrown: unknown) => F): Result<T, F>;
export function attempt(
  call: () => unknown,
  onThrow: (thrown: unknown) => unknown = (thrown) => thrown,
): Result<unknown, unknown> | Promise<Result<unknown, unknown>> {
  try {
    const value = call();
    if (isPromiseLike(value)) return attemptAsync(value, onThrow);
    return new Ok(value);
  } catch (thrown) {
    return new Err(onThrow(thrown));
  }
}

async function attemptAsync(
  value: PromiseLike<unknown>,
  onThrow: (thrown: unknown) => unknown,
): Promise<Result<unknown, unknown>> {
  try {
    return new Ok(await value);
  } catch (thrown) {
    return new Err(onThrow(thrown));
  }
}

/** Whether `value` must be awaited. Most that are asked about are results, whose class is seen sooner than what members they lack. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Ok || value instanceof Err) return false;
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** The fault type of a Result type. */
export type FaultOf<R> = R extends Err<infer F> ? F : never;
/** The value type of a Result type. */
export type ValueOf<R> = R extends Ok<infer T> ? T : never;
export type MaybePromise<T> = T | Promise<T>;
