/** What a failure of the database means: whether to try again, and the sentence that names it. */
import { QueueFull, type StoreFault } from "../jobs/index.ts";

/** The server cannot be reached, or takes no work now. Whether the last statement was committed is not known. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** SQLSTATEs of this store's own functions. Each has a digit, as those of the server: see `sqlStateOf`. */
export const ownStates = {
  /** More jobs would wait than may. */
  queueFull: "TN001",
  /** A settlement or a claim under an epoch that was declared dead. */
  leaseOver: "TN002",
  /** A claim whose answer nobody waits for any more. */
  lateClaim: "TN003",
  /** A settlement of jobs that were claimed before the server crashed: it may have lost the claims. */
  otherRun: "TN004",
} as const;

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

/** Why there is no connection, and what to do about it. Never shows the password, nor anything else of the address but where it leads. */
export function whyNotConnected(error: unknown, url: string): string {
  const said = reasonOf(error);
  const code = sqlStateOf(error) ?? codeOf(error);
  const advice = code === undefined ? undefined : advices[code];
  // The server answered, and says by itself what is wrong.
  if (advice === undefined && sqlStateOf(error) !== undefined) return said;
  const what = advice ?? (said.includes("password must be a string") ? advices["28P01"] : noAnswer);
  return `${said}. PostgreSQL was looked for at ${placeOf(url)}: ${what}`;
}

const noAnswer = "look whether it is PostgreSQL that answers there, and at the network between.";

const advices: { readonly [code: string]: string | undefined } = {
  ECONNREFUSED: "nothing listens there. Start it, or mend the host and port of the address.",
  ENOTFOUND: "there is no such host. Mend the address.",
  EAI_AGAIN: "the name of the host cannot be looked up now. Mend the address, or the name service.",
  ENOENT: "there is no socket. Start it, or mend the folder in the address.",
  "28P01": "mend the user and the password of the address.",
  "28000": "the server lets no such user in from here. Mend the address, or its pg_hba.conf.",
  "3D000": "create the database, or name another in the address.",
  "53300": "all connections are taken. Raise max_connections, or run fewer processes: each holds five.",
};

function codeOf(error: unknown): string | undefined {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return one instanceof Error && "code" in one && typeof one.code === "string" ? one.code : undefined;
}

function placeOf(url: string): string {
  const whole = url.replace("@/", "@localhost/");
  if (!URL.canParse(whole)) return "the address that was given";
  const { hostname, port, pathname, searchParams } = new URL(whole);
  const host = searchParams.get("host") ?? (decodeURIComponent(hostname) || "localhost");
  return `${host}:${port || "5432"}${pathname === "/" ? "" : pathname}`;
}

/** More would wait than may. */
export function queueFull(limit: number): StoreFault {
  return QueueFull({ limit, retryAfterMs: 1_000 });
}
