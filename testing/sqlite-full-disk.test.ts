/**
 * A disk that is full for real, as far as one process can make it so: the operating system lets no file of the process grow past a
 * limit, so the write-ahead log ends in the middle of a commit, long before the writer would empty it by itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("./sqlite-full-disk-child.ts", import.meta.url));

interface Said {
  readonly acknowledged: number;
  readonly done: number;
  readonly ready: number;
  readonly again: boolean;
  readonly troubles: readonly string[];
}

async function onFullDisk(what: "log" | "file too"): Promise<Said> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-full-"));
  try {
    // In units of 512 or 1,024 bytes, as the shell has it: 0.75 or 1.5 MiB, less than the pages after which the log is emptied anyway, so that
    // the log is full while the file behind it still has room.
    const limited = ["-c", 'ulimit -f 1536; exec "$0" "$@"', process.execPath, child, join(folder, "jobs.db"), what];
    const ended = spawnSync("sh", limited, { encoding: "utf8", timeout: 60_000 });
    assert.equal(ended.stderr, "");
    return JSON.parse(ended.stdout) as Said;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("where the write-ahead log cannot grow, it is emptied: what was acknowledged runs, and new work fits again", async () => {
  const { acknowledged, done, again } = await onFullDisk("log");
  assert.ok(acknowledged > 100, String(acknowledged));
  assert.deepEqual({ done, again }, { done: acknowledged, again: true });
});

test("where nothing fits any more, the writer stays alive, says so, and keeps what was acknowledged", async () => {
  const { acknowledged, ready, again, troubles } = await onFullDisk("file too");
  assert.deepEqual({ ready, again }, { ready: acknowledged, again: false });
  assert.deepEqual(troubles, ["The job store cannot take work now: disk I/O error."]);
});
