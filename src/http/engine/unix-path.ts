/**
 * The file of a Unix socket. A process that died leaves its file behind, and nobody can bind to it again: it is removed, but only when it
 * is a socket that nobody answers on. A process that stops removes its own (libuv does, when the listener closes).
 */
import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";

/** The system's bound (sun_path), without its final NUL. */
const longestPath = 107;

/** Makes room at `path`. Null: it is free; else the code of what is in the way. */
export async function clearPath(path: string): Promise<string | null> {
  if (path === "" || path.includes("\0")) return "EINVAL";
  if (Buffer.byteLength(path) > longestPath) return "ENAMETOOLONG";
  // The system calls this a matter of permissions.
  if (!existsSync(dirname(path))) return "ENOENT";
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    // Nothing there is what is wanted; everything else `listen` will meet itself, and say.
    return codeOf(error) === "ENOENT" ? null : codeOf(error);
  }
  if (!isSocket) return "EEXIST";
  if (await answers(path)) return "EADDRINUSE";
  try {
    unlinkSync(path);
  } catch (error) {
    return codeOf(error) === "ENOENT" ? null : codeOf(error);
  }
  return null;
}

/** Only a refusal proves that nobody is there: what cannot be asked is left alone. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", (error) => {
      const code = codeOf(error);
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}

/** Binds with the permissions of `mode`, so that there is no moment at which the file is open to others. */
export function withMode(path: string, mode: number, bind: () => void): void {
  // A worker thread may not change what belongs to the whole process.
  if (!isMainThread) {
    bind();
    // Where it could not be bound there is nothing to change, and `error` follows.
    if (existsSync(path)) chmodSync(path, mode);
    return;
  }
  const before = process.umask(0o777 & ~mode);
  try {
    bind();
  } finally {
    process.umask(before);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
