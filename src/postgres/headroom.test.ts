import assert from "node:assert/strict";
import { test } from "node:test";
import { Headroom } from "./headroom.ts";

test("an enqueue that was committed is told so though it cannot be counted what waits now; the next one counts", async () => {
  let asked = 0;
  const headroom = new Headroom(1_000, () =>
    ++asked === 1 ? Promise.reject(new Error("not now")) : Promise.resolve(10),
  );
  const bounds: (number | null)[] = [];
  const enqueue = (): Promise<string> => headroom.use(10, async (most) => (bounds.push(most), "done"));
  assert.equal(await enqueue(), "done");
  assert.equal(await enqueue(), "done");
  assert.equal(await enqueue(), "done");
  assert.deepEqual(bounds, [1_000, 1_000, null]);
});
