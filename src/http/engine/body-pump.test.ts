import assert from "node:assert/strict";
import { test } from "node:test";
import { pumpBytes, pumpIterable, type PumpTarget } from "./body-pump.ts";

/** Takes `room` slices, then says that it is full; `gone` from then on decides what waiting for room gives. */
function target(room: number, gone: boolean): PumpTarget & { readonly slices: Uint8Array[] } {
  const slices: Uint8Array[] = [];
  return {
    slices,
    isClosed: false,
    writePiece: (piece) => slices.push(piece) < room,
    writable: () => Promise.resolve(!gone),
  };
}

async function* source(onEnd: () => void, ...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  try {
    for (const part of parts) yield await Promise.resolve(part);
  } finally {
    onEnd();
  }
}

const big = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);

test("bytes and pieces of a stream go out in slices of at most 64 KiB, complete and in order", async () => {
  for (const pump of [
    pumpBytes(big, target(0, false)),
    pumpIterable(
      source(() => undefined, big),
      target(0, false),
    ),
  ])
    assert.deepEqual(await pump, { end: "sent" });
  const to = target(1, false);
  await pumpIterable(
    source(() => undefined, big, new Uint8Array(0), big),
    to,
  );
  assert.ok(to.slices.every((slice) => slice.length > 0 && slice.length <= 64 * 1024));
  assert.deepEqual(Buffer.concat(to.slices), Buffer.concat([big, big]));
});

test("a source whose client is gone is ended by return(), exactly once, and not pulled again", async () => {
  let ended = 0;
  const to = target(1, true);
  assert.deepEqual(
    await pumpIterable(
      source(() => ended++, big, big),
      to,
    ),
    { end: "gone" },
  );
  assert.equal(ended, 1);
  assert.equal(to.slices.length, 1);
});

test("a source that throws, cannot be opened, or yields no bytes is a failure with its reason", async () => {
  const error = new Error("broken");
  const closed = {
    [Symbol.asyncIterator]: () => {
      throw error;
    },
  };
  assert.deepEqual(await pumpIterable(closed, target(9, false)), { end: "failed", error });
  async function* wrong(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve("text" as never);
  }
  const outcome = await pumpIterable(wrong(), target(9, false));
  assert.ok(outcome.end === "failed" && outcome.error instanceof TypeError);
});

test("a source that gives fewer or more bytes than were promised has failed, and the surplus is not sent", async () => {
  const part = new Uint8Array(10);
  let ended = 0;
  const exact = source(() => ended++, part, part);
  assert.deepEqual(await pumpIterable(exact, target(9, false), 20), { end: "sent" });
  for (const promised of [19, 21]) {
    const to = target(9, false);
    const outcome = await pumpIterable(
      source(() => ended++, part, part),
      to,
      promised,
    );
    assert.ok(outcome.end === "failed" && outcome.error instanceof TypeError);
    assert.ok(Buffer.concat(to.slices).length <= promised);
  }
  assert.equal(ended, 3);
});
