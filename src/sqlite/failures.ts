/**
 * What an error means: trouble with the disk or with a lock (nothing was kept, try again), a statement that was refused (its owner is told), or a
 * defect of this program (the thread ends).
 */
import { must } from "./must.ts";
import type { OpReply } from "./protocol.ts";

/** The extended result code of an error that SQLite raised. */
export function sqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode : undefined;
}

/** SQLITE_BUSY, with any extension. */
export function isBusy(thrown: unknown): boolean {
  return ((sqliteCode(thrown) ?? 0) & 0xff) === 5;
}

export function rejection(thrown: unknown): OpReply {
  return { rejected: thrown instanceof Error ? thrown.message : String(thrown), sqlCode: sqliteCode(thrown) ?? 0 };
}

/** SQLITE_CONSTRAINT_FOREIGNKEY outside of a statement: a deferred one, found at COMMIT. */
export function isDeferredConstraint(thrown: unknown): boolean {
  return sqliteCode(thrown) === 787;
}

/** Failures of the disk or of another connection's lock, as against mistakes of this program. */
export function isStorage(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code !== undefined && [5, 6, 7, 8, 10, 11, 13, 14, 15, 26].includes(code & 0xff);
}

/** Rethrows what is no trouble of the disk. */
export function storageReason(thrown: unknown): string {
  if (!isStorage(thrown)) throw thrown;
  const code = must(sqliteCode(thrown)) & 0xff;
  if (code === 13) return "the disk is full";
  if (isBusy(thrown)) return "another connection keeps the database locked";
  return (thrown as Error).message;
}
