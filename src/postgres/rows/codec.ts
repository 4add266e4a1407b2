/** Rows as a driver gives them, and the records of the seam. */
import { Buffer } from "node:buffer";
import type { AttemptError, JobId, JobRecord, JobState } from "../../jobs/index.ts";

/** A row by its columns: `bigint` as text, `bytea` as bytes. */
export type SqlRow = { readonly [column: string]: unknown };

const outward: { readonly [code: number]: JobState } = {
  0: "waiting",
  1: "waiting",
  2: "scheduled",
  3: "ready",
  4: "running",
  5: "ready",
  6: "ready",
  8: "waiting",
  10: "succeeded",
  11: "failed",
  12: "cancelled",
};

/** What a state of the seam is in the tables. */
export const stateCodes: { readonly [S in JobState]: readonly number[] } = {
  waiting: [0, 1, 8],
  scheduled: [2],
  ready: [3, 5, 6],
  running: [4],
  succeeded: [10],
  failed: [11],
  cancelled: [12],
};

export function stateOf(code: unknown): JobState | undefined {
  return code === null || code === undefined ? undefined : outward[Number(code)];
}

export function textOf(bytes: unknown): string | undefined {
  if (bytes === null || bytes === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = bytes as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}

/** Ids are numbers that JavaScript holds exactly; whatever else a caller asks for was never one. */
export function isJobId(id: JobId): boolean {
  return /^[1-9][0-9]{0,15}$/.test(id) && Number(id) <= Number.MAX_SAFE_INTEGER;
}

export function recordOf(row: SqlRow): JobRecord {
  const state = stateOf(row["state"]) ?? "ready";
  const optional = {
    context: textOf(row["context"]),
    runAt: state === "scheduled" && row["due"] !== null ? Number(row["due"]) : undefined,
    finishedAt: row["finished_at"] === null ? undefined : Number(row["finished_at"]),
    uniqueKey: textOf(row["unique_key"]),
    key: textOf(row["key"]),
    tenant: textOf(row["tenant"]),
    progress: textOf(row["progress"]),
    result: textOf(row["result"]),
  };
  return {
    id: String(row["id"]),
    name: row["name"] as string,
    state,
    priority: Number(row["priority"]),
    payload: textOf(row["payload"]) ?? "",
    attempt: Number(row["attempt"]),
    enqueuedAt: Number(row["enqueued_at"]),
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<JobRecord>),
    errors: ((row["errors"] ?? []) as readonly Uint8Array[]).map(
      (error) => JSON.parse(textOf(error) ?? "") as AttemptError,
    ),
  };
}

const errorChars = 4_096;

export function errorText({ attempt, at, code, message, data }: AttemptError): string {
  return JSON.stringify({
    attempt,
    at,
    code,
    message: message.slice(0, errorChars),
    ...(data === undefined ? undefined : { data }),
  });
}
