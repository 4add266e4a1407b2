/** What the disk under a durability figure is worth: where a sync costs nothing, 100,000 durable jobs a second are no feat. */
import { spawn } from "node:child_process";
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { nowUs } from "../child.ts";
import { median } from "../result.ts";

const tmpfs = 0x01021994;

/** The kind of file system, and the median time of a 4 KiB append that is synced. */
export function describeDisk(folder: string): { [name: string]: string | number } {
  const { type } = statfsSync(folder);
  const file = join(folder, `sync-${process.pid}`);
  const handle = openSync(file, "w");
  const page = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < 100; i++) {
    writeSync(handle, page);
    const before = nowUs();
    fdatasyncSync(handle);
    times.push(nowUs() - before);
  }
  closeSync(handle);
  rmSync(file);
  return {
    disk:
      type === tmpfs
        ? "tmpfs: a sync costs nothing here, so these figures say nothing of durability"
        : `file system 0x${type.toString(16)}`,
    syncUs: Math.round(median(times)),
  };
}

/**
 * How often the process synced a file while `work` ran, counted by `strace`; undefined where it is not installed or not
 * allowed. Slows the process, so nothing is measured meanwhile.
 */
export async function syncsSeen(pid: number, work: () => Promise<unknown>): Promise<number | undefined> {
  const tracer = spawn("strace", ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let lines = "";
  tracer.stderr.setEncoding("utf8").on("data", (text: string) => (lines += text));
  const ended = new Promise<boolean>((resolve) => {
    tracer.once("error", () => resolve(false));
    tracer.once("exit", (code, signal) => resolve(signal !== null || code === 0 || lines.includes("sync(")));
  });
  // It says nothing when it has attached; a tracer that may not trace ends by itself.
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 300))]);
  const attached = tracer.pid !== undefined && tracer.exitCode === null;
  await work();
  tracer.kill("SIGINT");
  const worked = await ended;
  return attached && worked ? (lines.match(/\bf(data)?sync\(/g)?.length ?? 0) : undefined;
}
