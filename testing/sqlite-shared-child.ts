/**
 * One process of a shared SQLite file, for the tests that kill, stop and race them. It does what it is told by messages of its parent, and tells what
 * happens to it. Its clock is the parent's.
 */
import { manualClock, systemClock, type Clock } from "../src/core/index.ts";
import type {
  ClaimedJob,
  ConsumeOptions,
  Consumer,
  JobPolicy,
  StoreOpenOptions,
  StoreSession,
} from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { keepMany } from "../src/testing/store-harness.ts";

export interface OpenOrder {
  readonly file: string;
  readonly leaseMs?: number;
  /** Where its clock is not the system's. */
  readonly now?: number;
  readonly attempts?: number;
  readonly policies?: Readonly<Record<string, JobPolicy | undefined>>;
  readonly maxWaiting?: number;
}

export type Order =
  | { readonly kind: "open"; readonly id: number; readonly order: OpenOrder }
  | { readonly kind: "call"; readonly id: number; readonly verb: keyof StoreSession; readonly args: readonly unknown[] }
  | { readonly kind: "consume"; readonly id: number; readonly names: readonly string[] }
  | { readonly kind: "grant"; readonly name: string; readonly credit: number }
  | { readonly kind: "stop"; readonly id: number }
  | { readonly kind: "advance"; readonly id: number; readonly ms: number }
  /** Settles all that it is handed by itself, as a worker with a quick handler does. */
  | { readonly kind: "work"; readonly id: number; readonly names: readonly string[]; readonly credit: number }
  /** Blocks the event loop. */
  | { readonly kind: "block"; readonly id: number; readonly ms: number };

export type News =
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown; readonly what?: never }
  | {
      readonly kind: "claimed" | "lost" | "cancel" | "trouble" | "ran";
      readonly what: unknown;
      readonly answer?: never;
    };

const tell = (news: News): void => void process.send?.(news);
let clock: Clock = systemClock;
let session: StoreSession | undefined;
let consumer: Consumer | undefined;

function toAnswer(result: unknown): unknown {
  const { ok, value, fault } = result as { ok: boolean; value?: unknown; fault?: { code: string; message: string } };
  return ok ? { value } : { fault: { code: fault?.code, message: fault?.message } };
}

async function open({ file, leaseMs, now, attempts, policies, maxWaiting }: OpenOrder): Promise<unknown> {
  if (now !== undefined) clock = manualClock(now);
  const options: StoreOpenOptions = {
    clock,
    retention: keepMany,
    maxWaiting: maxWaiting ?? 1_000_000,
    maxAttempts: () => attempts ?? 5,
    policy: (name) => policies?.[name] ?? policies?.["*"],
  };
  const opened = await sqlite(file, { shared: true, ...(leaseMs !== undefined && { leaseMs }) }).open(options);
  if (opened.ok) session = opened.value;
  return toAnswer(opened.ok ? { ok: true } : opened);
}

function consume(names: readonly string[], onClaimed: ConsumeOptions["onClaimed"]): void {
  consumer = session?.consume({
    names,
    onClaimed,
    onCancelRequested: (id) => tell({ kind: "cancel", what: id }),
    onLost: (ids) => tell({ kind: "lost", what: ids }),
    onTrouble: (fault) => tell({ kind: "trouble", what: fault.message }),
  });
}

/** As it goes to another process: a store may make some of it only when it is asked for. */
function plain(job: ClaimedJob): ClaimedJob {
  const { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence } = job;
  return { id, name, priority, payload, context, attempt, enqueuedAt, key, tenant, noted, fence };
}

function work(names: readonly string[], credit: number): void {
  consume(names, (jobs) => {
    void session?.settle(jobs.map((job) => ({ job, to: "succeeded" }))).then((receipts) => {
      const done = receipts.ok ? jobs.filter((_, index) => receipts.value[index] === "settled") : [];
      tell({ kind: "ran", what: done.map(({ id }) => id) });
      for (const { name } of jobs) consumer?.grant(name, 1);
    });
  });
  for (const name of names) consumer?.grant(name, credit);
}

async function obey(order: Order): Promise<unknown> {
  switch (order.kind) {
    case "open":
      return open(order.order);
    case "call": {
      const call = session?.[order.verb] as (...args: unknown[]) => unknown;
      const result = await call.apply(session, [...order.args]);
      return order.verb === "close" ? undefined : toAnswer(result);
    }
    case "consume":
      return consume(order.names, (jobs) => tell({ kind: "claimed", what: jobs.map(plain) }));
    case "grant":
      return consumer?.grant(order.name, order.credit);
    case "stop":
      return consumer?.stop();
    case "advance":
      return "advance" in clock ? (clock as ReturnType<typeof manualClock>).advance(order.ms) : undefined;
    case "work":
      return work(order.names, order.credit);
    case "block": {
      const end = systemClock.monotonic() + order.ms;
      while (systemClock.monotonic() < end);
      return undefined;
    }
  }
}

process.on("message", (order: Order) => {
  void obey(order).then((answer) => {
    if ("id" in order) tell({ kind: "answer", id: order.id, answer });
  });
});
