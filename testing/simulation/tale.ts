/** A history written by hand, step by step, for the tests of the checker. */
import type { JobRecord, JobState, Settlement, SettleReceipt } from "../../src/jobs/index.ts";
import { checkHistory } from "./check.ts";
import type { Asked, AskedJob, Done, HistoryEvent, Promised, Verb } from "./history.ts";
import type { Rule } from "./violation.ts";

type Told = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never;

export class Tale {
  readonly events: HistoryEvent[] = [];
  #call = 0;

  say(event: Told): this {
    this.events.push({ at: this.events.length, ...event });
    return this;
  }

  enqueue(id: string, job: Partial<AskedJob> = {}, heard = true): this {
    const call = ++this.#call;
    this.say({ kind: "call", call, worker: "w1.1", verb: "enqueue", asked: { jobs: [{ name: "a", ...job }] } });
    this.say({ kind: "done", call, done: { ids: [{ id, duplicate: false }] } });
    return this.say({ kind: "answered", call, ok: heard });
  }

  claim(id: string, claim: number, attempt = 1, worker = "w1.1", key?: string, wall?: number): this {
    const claims = [{ id, name: "a", key, attempt, fence: { epoch: 1, claim } }];
    return this.say({ kind: "claimed", worker, claims, ...(wall !== undefined && { wall }) });
  }

  /** A call that the store has done. */
  call(verb: Verb, asked: Asked, done: Done = {}, worker = "w1.1"): this {
    const call = ++this.#call;
    this.say({ kind: "call", call, worker, verb, asked });
    return this.say({ kind: "done", call, done });
  }

  settle(
    id: string,
    claim: number,
    to: Settlement["to"] = "succeeded",
    receipt: SettleReceipt = "settled",
    worker = "w1.1",
  ): this {
    const settlements = [{ id, fence: { epoch: 1, claim }, attempt: 1, to }];
    return this.call("settle", { settlements }, { receipts: [receipt] }, worker);
  }

  final(...records: readonly (readonly [id: string, state: JobState, attempt?: number, error?: string])[]): this {
    return this.say({
      kind: "final",
      records: records.map(([id, state, attempt = 1, code]) => recordOf(id, state, attempt, code)),
    });
  }

  broken(promised: Partial<Promised> = {}): Rule[] {
    return checkHistory(this.events, () => ({ maxAttempts: 3, ...promised })).map(({ rule }) => rule);
  }
}

function recordOf(id: string, state: JobState, attempt: number, code?: string): JobRecord {
  const errors = code === undefined ? [] : [{ attempt, at: 0, code, message: "" }];
  return { id, name: "a", state, priority: 5, payload: "{}", attempt, enqueuedAt: 0, errors };
}

export const tale = (): Tale => new Tale();
export const oneRun = (id: string, claim: number, key?: string): Tale =>
  tale()
    .enqueue(id, key === undefined ? {} : { key })
    .claim(id, claim, 1, "w1.1", key)
    .settle(id, claim);
