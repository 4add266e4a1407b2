/** What a failure of the database means: whether to try again, and the sentence that names it. */
import { QueueFull, type StoreFault } from "../jobs/index.ts";

/** The server cannot be reached, or takes no work now. Whether the last statement was committed is not known. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** SQLSTATE of an error that the server answered; undefined for one of the network or of the driver. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  // Node's own codes (ECONNREFUSED, EPIPE) are words of another form.
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

/**
 * The connection is of no more use: broken, or its backend was ended (57P01 terminated, 57P02 crash, 57P03 starting), or it became read-only under a
 * failover (25006).
 */
export function isBroken(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === undefined || state.startsWith("08") || state.startsWith("57P") || state === "25006";
}

/** A pooler in transaction mode hands statements to another backend than they were prepared on. */
export function isForeignStatement(error: unknown): boolean {
  const state = sqlStateOf(error);
  return (
    state === "26000" || state === "42P05" || (state === "08P01" && reasonOf(error).includes("prepared statement"))
  );
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? (error.errors as unknown[]).map(reasonOf).join("; ") : "";
  const state = sqlStateOf(error);
  const said = error.message || inner || error.name;
  return state === undefined ? said : `${said} (SQLSTATE ${state})`;
}

/** More would wait than may. */
export function queueFull(limit: number): StoreFault {
  return QueueFull({ limit, retryAfterMs: 1_000 });
}
