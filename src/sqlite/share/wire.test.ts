import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serialize } from "node:v8";
import { shareVersion, Wire } from "./wire.ts";

interface End {
  readonly reason: string;
  readonly version: number | undefined;
}

/** A wire on one end of a socket, and whatever writes on the other. */
async function withWire(
  run: (other: Socket, frames: [unknown, string][], ended: Promise<End>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-wire-"));
  const path = join(folder, "socket");
  const frames: [unknown, string][] = [];
  const end = Promise.withResolvers<End>();
  const server = createServer((socket) => {
    void new Wire<unknown, unknown>(socket, {
      onFrame: (head, body) => void frames.push([head, body.toString("latin1")]),
      onEnd: (reason, version) => end.resolve({ reason, version }),
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const other = connect(path);
  other.on("error", () => undefined);
  try {
    await run(other, frames, end.promise);
  } finally {
    other.destroy();
    server.close();
    await rm(folder, { recursive: true });
  }
}

const hello = `tensile-sqlite ${shareVersion}\n`;

function frame(head: unknown, body = ""): Buffer {
  const text = serialize(head);
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(text.length, 0);
  sizes.writeUInt32LE(body.length, 4);
  return Buffer.concat([sizes, text, Buffer.from(body)]);
}

test("frames are read however the bytes are cut", () =>
  withWire(async (other, frames, ended) => {
    const bytes = Buffer.concat([
      Buffer.from(hello),
      frame({ n: 1 }, "abc"),
      frame({ n: 2 }),
      frame("three", "x".repeat(50)),
    ]);
    other.setNoDelay(true);
    for (let at = 0; at < bytes.length; at += 7)
      await new Promise<void>((resolve) => other.write(bytes.subarray(at, at + 7), () => setImmediate(resolve)));
    other.end();
    await ended;
    assert.deepEqual(frames, [
      [{ n: 1 }, "abc"],
      [{ n: 2 }, ""],
      ["three", "x".repeat(50)],
    ]);
  }));

const wrong = {
  "an HTTP request": "GET / HTTP/1.1\r\n\r\n",
  "bytes without an end": "\u0000\u00ff".repeat(500),
  "the beginning of a greeting that never ends": `tensile-sqlite ${"1".repeat(40)}`,
  "a greeting without a version": "tensile-sqlite x\n",
  "a frame longer than there may be": Buffer.concat([Buffer.from(hello), Buffer.alloc(8, 0xff)]),
  "a head that is no value": Buffer.concat([Buffer.from(hello), Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])]),
};
for (const [what, bytes] of Object.entries(wrong)) {
  test(`${what} ends the connection, and nothing is taken`, () =>
    withWire(async (other, frames, ended) => {
      other.write(bytes);
      assert.match((await ended).reason, /does not speak|too long|could not be read/);
      assert.deepEqual(frames, []);
    }));
}

test("another version of the protocol is named", () =>
  withWire(async (other, _, ended) => {
    other.write(`tensile-sqlite ${shareVersion + 1}\n`);
    assert.equal((await ended).version, shareVersion + 1);
  }));
