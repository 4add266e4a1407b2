import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "./fault.ts";
import { type Kind, kinds } from "./kinds.ts";

test("a fault is a value: a code, a kind, data, a sentence, and no stack", () => {
  const fault = new Fault("CITY_NOT_FOUND", "not_found", { id: 7 }, "There is no city 7.");
  assert.ok(!(fault instanceof Error));
  assert.equal(String(fault), "CITY_NOT_FOUND: There is no city 7.");
  assert.deepEqual(JSON.parse(JSON.stringify(fault)), {
    code: "CITY_NOT_FOUND",
    kind: "not_found",
    message: "There is no city 7.",
    data: { id: 7 },
  });
});

test("a fault may be repeated exactly when its kind may", () => {
  for (const kind of Object.keys(kinds) as Kind[]) {
    assert.equal(new Fault("ANY", kind, {}, "").retryable, kinds[kind].retryable);
  }
});

test("every kind has an error status of HTTP, a status of gRPC, a GraphQL code and a title", () => {
  for (const [kind, row] of Object.entries(kinds)) {
    assert.ok(row.http >= 400 && row.http <= 599, kind);
    assert.ok(row.grpc >= 1 && row.grpc <= 16, kind);
    assert.match(row.graphql, /^[A-Z_]+$/);
    assert.match(row.title, /^[A-Z][a-z ]+$/);
    assert.ok(Object.isFrozen(row));
  }
  assert.ok(Object.isFrozen(kinds));
});

test("no two kinds share a GraphQL code, and every error status of gRPC but UNKNOWN has a kind", () => {
  const rows = Object.values(kinds);
  assert.equal(new Set(rows.map(({ graphql }) => graphql)).size, rows.length);
  const statuses = [...new Set(rows.map(({ grpc }) => grpc))].sort((a, b) => a - b);
  assert.deepEqual(statuses, [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
});

test("kinds that may be repeated are those that time can mend", () => {
  const retryable = Object.entries(kinds)
    .filter(([, row]) => row.retryable)
    .map(([kind]) => kind);
  assert.deepEqual(retryable, ["request_timeout", "resource_exhausted", "unavailable", "deadline_exceeded"]);
});
