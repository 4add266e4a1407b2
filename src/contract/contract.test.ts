import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "../schema/index.ts";
import { contract, fault, job, mutation, query } from "./index.ts";

const City = t.object("City", { id: t.int32(), name: t.string() });
const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });

test("a fault carries its code, kind, data and sentence, and knows its own", () => {
  const failure = CityNotFound({ id: 7 });
  assert.deepEqual(failure.toJSON(), {
    code: "CITY_NOT_FOUND",
    kind: "not_found",
    message: "Not found",
    data: { id: 7 },
  });
  assert.equal(failure.retryable, false);
  assert.ok(CityNotFound.is(failure));
  assert.ok(!CityNotFound.is({ code: "CITY_NOT_FOUND" }));
  assert.equal(CityNotFound({ id: 7 }, "No such city.").message, "No such city.");
});

test("a fault's sentence may be made from its data", () => {
  const Busy = fault("BUSY", {
    kind: "unavailable",
    data: { seconds: t.int32() },
    message: (data) => `Busy for ${data.seconds} s.`,
  });
  assert.equal(Busy({ seconds: 3 }).message, "Busy for 3 s.");
});

test("a wrong fault declaration is refused with a sentence", () => {
  assert.throws(() => fault("notFound", { kind: "not_found" }), /upper snake case/);
  // @ts-expect-error -- the kind is not in the table
  assert.throws(() => fault("NOPE", { kind: "nope" }), /kind "nope" is not in the table/);
});

test("a contract lists its operations and jobs", () => {
  const getCity = query("getCity", {
    access: "public",
    input: { id: t.int32() },
    output: City,
    faults: [CityNotFound],
  });
  const addCity = mutation("addCity", { access: { scopes: ["write"] }, input: City, output: City });
  const sync = job("sync", { input: {} });
  const atlas = contract("atlas.v1", { getCity, addCity, sync });
  assert.deepEqual(
    atlas.operations.map((operation) => [operation.type, operation.name]),
    [
      ["query", "getCity"],
      ["mutation", "addCity"],
    ],
  );
  assert.deepEqual(
    atlas.jobs.map(({ name }) => name),
    ["sync"],
  );
});

test("an operation without an access policy is refused at start too, for callers without types", () => {
  // @ts-expect-error -- access is required
  assert.throws(() => query("open", { input: {}, output: City }), /query\("open"\) needs an access policy/);
  assert.throws(() => query("open", { access: { scopes: [] }, input: {}, output: City }), /needs an access policy/);
});

test("names that would confuse clients and logs are refused", () => {
  const a = query("a", { access: "public", input: {}, output: City });
  const upper = query("A", { access: "public", input: {}, output: City });
  assert.throws(() => contract("Atlas", { a }), /lower-case name/);
  assert.throws(() => contract("atlas.v1", { b: a }), /stands under the key "b"/);
  assert.throws(() => contract("atlas.v1", { a, A: upper }), /differ only in case/);
  assert.throws(() => query("get-city", { access: "public", input: {}, output: City }), /letters and digits/);
  assert.throws(
    () => query("a", { access: "public", input: {}, output: City, faults: [CityNotFound, CityNotFound] }),
    /declares the fault CITY_NOT_FOUND twice/,
  );
});

test("a job fills in its defaults and refuses settings out of range", () => {
  const { settings } = job("sync", { input: {} });
  assert.deepEqual(
    [settings.attempts, settings.timeoutMs, settings.priority, settings.concurrency],
    [5, 300_000, 5, undefined],
  );
  assert.throws(() => job("sync", { input: {}, priority: 10 }), /priority is a whole number from 0 to 9, not 10/);
  assert.throws(
    () => job("sync", { input: {}, retry: { attempts: 0 } }),
    /retry.attempts is a whole number from 1 to 1000/,
  );
  assert.throws(() => job("sync", { input: {}, concurrency: 1.5 }), /concurrency is a whole number/);
  assert.throws(() => job("sync", { input: {}, timeout: "5 minutes" }), /is not a duration/);
});
