/** A job of a block as its readers see it. */
import type { JobRecord } from "../../jobs/index.ts";

export interface BlockRow {
  readonly id: number;
  readonly name: string;
  readonly priority: number;
  readonly state: number;
  readonly at: number;
  readonly finished_at: number | null;
  readonly payload: string;
  readonly context: Buffer | null;
  readonly key: Buffer | null;
  readonly result: string | null;
}

export function blockRecordOf(row: BlockRow): JobRecord {
  const state = row.state === 10 ? "succeeded" : row.state === 4 ? "running" : "ready";
  return {
    id: String(row.id),
    name: row.name,
    state,
    priority: row.priority,
    payload: row.payload,
    ...(row.context === null ? undefined : { context: row.context.toString() }),
    ...(row.key === null ? undefined : { key: row.key.toString() }),
    attempt: state === "ready" ? 0 : 1,
    enqueuedAt: row.at,
    ...(row.finished_at === null ? undefined : { finishedAt: row.finished_at }),
    ...(row.result === null ? undefined : { result: row.result }),
    errors: [],
  };
}
