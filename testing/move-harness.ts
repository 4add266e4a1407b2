/** What the tests of moving stores share: jobs of every kind, and the records that they become. */
import assert from "node:assert/strict";
import { systemClock } from "../src/core/index.ts";
import type {
  ClaimedJob,
  MovedJob,
  MoveRecord,
  NewJob,
  Settlement,
  StoreOpenOptions,
  StoreSession,
} from "../src/jobs/index.ts";
import { value } from "../src/testing/store-harness.ts";

const keep = { ageMs: 86_400_000, count: 100_000 };

export const openForMove: StoreOpenOptions = {
  clock: systemClock,
  retention: { succeeded: keep, failed: keep, cancelled: keep },
  maxWaiting: 1_000_000,
  maxAttempts: () => 5,
};

export async function collect(records: AsyncIterable<readonly MoveRecord[]>): Promise<MoveRecord[]> {
  const all: MoveRecord[] = [];
  for await (const page of records) all.push(...page);
  return all;
}

export async function* pages(records: readonly MoveRecord[], size = 100): AsyncGenerator<readonly MoveRecord[]> {
  for (let at = 0; at < records.length; at += size) yield records.slice(at, at + size);
}

export function jobsOf(records: readonly MoveRecord[]): MovedJob[] {
  return records.flatMap((record) => (record.type === "job" ? [record.job] : []));
}

export const newJob = (name: string, more: Partial<NewJob> = {}): NewJob => ({
  name,
  priority: 5,
  payload: `{"of":"${name}"}`,
  ...more,
});

/** Claims so many ready jobs of a name. */
export function claim(session: StoreSession, name: string, credit: number): Promise<readonly ClaimedJob[]> {
  return new Promise((resolve) => {
    const got: ClaimedJob[] = [];
    const consumer = session.consume({
      names: [name],
      onClaimed: (jobs) => {
        got.push(...jobs);
        if (got.length < credit) return;
        void consumer.stop().then(() => resolve(got));
      },
      onCancelRequested: () => undefined,
      onTrouble: ({ message }) => assert.fail(message),
    });
    consumer.grant(name, credit);
  });
}

/** The first seven of these end, each in another way; what is left of them runs on. `later`: wall-clock milliseconds. */
export async function endInEveryWay(
  session: StoreSession,
  claimed: readonly ClaimedJob[],
  later: number,
): Promise<void> {
  const error = { attempt: 1, at: 1_700_000_000_000, code: "BUSY", message: "wait", data: '{"wait":1}' };
  const ends = ["succeeded", "succeeded", "failed", "retry", "cancelled", "snoozed", "released"] as const;
  const settlements = ends.map((to, index): Settlement => {
    const one = claimed[index] as ClaimedJob;
    if (to === "succeeded") return index === 0 ? { job: one, to, result: '{"x":"ü"}' } : { job: one, to };
    if (to === "retry") return { job: one, to, runAt: later, error };
    if (to === "snoozed") return { job: one, to, runAt: later + 1 };
    if (to === "failed" || to === "cancelled") return { job: one, to, error };
    return { job: one, to };
  });
  value(await session.settle(settlements));
}
