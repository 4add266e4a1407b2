import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "./fault.ts";
import { match, matchFault } from "./match.ts";
import { err, ok, type Result } from "./result.ts";

type NotFound = Fault<"NOT_FOUND", { readonly id: number }>;
type Busy = Fault<"BUSY", { readonly after: number }>;

const notFound: NotFound = new Fault("NOT_FOUND", "not_found", { id: 7 }, "There is no 7.");
const busy: Busy = new Fault("BUSY", "unavailable", { after: 20 }, "Later.");

function tell(result: Result<string, NotFound | Busy>): string {
  return match(result, {
    ok: (name) => name,
    NOT_FOUND: (fault) => `no ${fault.data.id}`,
    BUSY: (fault) => `again in ${fault.data.after}`,
  });
}

test("match calls the case of the value or of the fault's code", () => {
  assert.equal(tell(ok("Bern")), "Bern");
  assert.equal(tell(err(notFound)), "no 7");
  assert.equal(tell(err(busy)), "again in 20");
});

test("match may give different types for value and fault", () => {
  const result: Result<number, Busy> = ok(1);
  const answer: number | null = match(result as Result<number, Busy>, { ok: (n) => n, BUSY: () => null });
  assert.equal(answer, 1);
});

test("matchFault calls the case of the code", () => {
  const tellFault = (fault: NotFound | Busy): number =>
    matchFault(fault, { NOT_FOUND: ({ data }) => data.id, BUSY: ({ data }) => data.after });
  assert.equal(tellFault(notFound), 7);
  assert.equal(tellFault(busy), 20);
});

test("a code that the types did not foresee is named, also where Object.prototype has a property of its name", () => {
  const foreign = new Fault("toString", "internal", {}, "odd") as unknown as NotFound;
  assert.throws(() => match(err(foreign), { ok: () => 1, NOT_FOUND: () => 2 }), /no case for "toString"/);
  assert.throws(() => matchFault(foreign, { NOT_FOUND: () => 2 }), /no case for "toString"/);
});
