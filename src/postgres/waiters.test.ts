import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../core/index.ts";
import type { JobId, JobRecord } from "../jobs/index.ts";
import { Waiters } from "./waiters.ts";

const recordOf = (id: JobId): JobRecord => ({
  ...{ id, name: "a", priority: 5, payload: "{}", attempt: 1, enqueuedAt: 0, errors: [] },
  state: "succeeded",
});

test("thousands who begin to wait at once, and whose jobs have ended, are few questions", async () => {
  const asked: (readonly JobId[])[] = [];
  const read: (readonly JobId[])[] = [];
  const waiters = new Waiters(
    async (ids) => {
      read.push(ids);
      return ok(new Map(ids.map((id) => [id, recordOf(id)])));
    },
    async (ids) => {
      asked.push(ids);
      return ok(ids);
    },
    10_000,
  );
  const ids = Array.from({ length: 5_000 }, (_, n) => String(n + 1));
  const found = await Promise.all(ids.map((id) => waiters.wait(id)));
  assert.deepEqual(
    found.map((one) => (one.ok ? one.value?.id : one.fault.code)),
    ids,
  );
  assert.deepEqual([asked.length, read.length, waiters.size], [1, 1, 0]);
});
