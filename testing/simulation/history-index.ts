/** A history by job: its enqueueing, its claims and its settlements, each with its place in the order of events. */
import type { Fence, JobRecord, SettleReceipt } from "../../src/jobs/index.ts";
import type { AskedJob, AskedSettlement, Claim, Done, HistoryEvent, WorkerLife } from "./history.ts";

export interface JobHistory extends AskedJob {
  readonly id: string;
  /** Somebody heard that it is kept. */
  acknowledged: boolean;
  /** Places of the call and of the store's answer; the job came to be between the two. */
  readonly askedAt: number;
  readonly doneAt: number;
  readonly claims: (Claim & {
    readonly worker: WorkerLife;
    readonly place: number;
    readonly wall?: number | undefined;
  })[];
  readonly settlements: (AskedSettlement & {
    readonly worker: WorkerLife;
    /** `unheard`: nobody knows whether the store did it. */
    readonly receipt: SettleReceipt | "unheard";
    readonly askedAt: number;
    readonly doneAt: number;
  })[];
  /** Notes that the store has confirmed, by name, and where. */
  readonly notes: Map<string, number>;
  /** Calls that wrote notes, with their answers. */
  readonly noting: {
    readonly fence: Fence;
    readonly names: readonly string[];
    readonly receipt: SettleReceipt;
    readonly worker: WorkerLife;
    readonly askedAt: number;
  }[];
  /** The store has said that it is cancelled. */
  cancelled?: { readonly askedAt: number; readonly doneAt: number };
  /** The wall clock when its enqueueing was asked for. */
  readonly askedWall?: number | undefined;
  /** Signals that the store has taken. */
  readonly signals: {
    readonly name: string;
    readonly value: string;
    readonly askedAt: number;
    readonly doneAt: number;
  }[];
}

/** From here to there nothing of the name may be claimed. */
export interface Pause {
  readonly name: string;
  readonly from: number;
  to: number;
}

interface Trouble {
  readonly worker: WorkerLife;
  readonly from: number;
  readonly to: number;
}

export interface History {
  readonly jobs: ReadonlyMap<string, JobHistory>;
  readonly cancels: ReadonlySet<string>;
  readonly redrives: ReadonlyMap<string, number>;
  /** Where each life may have lost what it had claimed by then. */
  readonly lost: ReadonlyMap<WorkerLife, readonly number[]>;
  /** In which a life may have lost anything at any time. */
  readonly troubled: readonly Trouble[];
  /** The newest epoch of each life, where a life takes a new one when it has lost its lease. */
  readonly epochs: ReadonlyMap<WorkerLife, number>;
  /** Where it was told that it had lost a job, by both. */
  readonly toldLost: ReadonlyMap<string, readonly number[]>;
  readonly pauses: readonly Pause[];
  /** Where the wall clock was put back. */
  readonly putBacks: readonly number[];
  readonly events: readonly HistoryEvent[];
  readonly final: ReadonlyMap<string, JobRecord> | undefined;
}

type Call = Extract<HistoryEvent, { readonly kind: "call" }> & { readonly place: number };

export function indexOf(events: readonly HistoryEvent[], unheardMayBeDone = false, epochsAreLeases = false): History {
  const jobs = new Map<string, JobHistory>();
  const cancels = new Set<string>();
  const redrives = new Map<string, number>();
  const lost = new Map<WorkerLife, number[]>();
  const toldLost = new Map<string, number[]>();
  const troubled: Trouble[] = [];
  const epochs = new Map<WorkerLife, number>();
  const pauses = new Pauses();
  const putBacks: number[] = [];
  const calls = new Map<number, Call>();
  const made = new Map<number, readonly string[]>();
  let final: Map<string, JobRecord> | undefined;
  // A job may be claimed in the commit that makes it, and run and settled by another process before its enqueueing is answered: so jobs come first.
  for (const [place, event] of events.entries()) {
    if (event.kind === "call") {
      calls.set(event.call, { ...event, place });
      pauses.asked(event, place);
      // Whether or not it is answered: the store may do it.
      if (event.verb === "cancel" && event.asked.id !== undefined) cancels.add(event.asked.id);
      if (event.verb === "retry" && event.asked.id !== undefined)
        redrives.set(event.asked.id, (redrives.get(event.asked.id) ?? 0) + 1);
    } else if (event.kind === "done") {
      const call = calls.get(event.call);
      if (call !== undefined) made.set(event.call, addJobs(jobs, call, event.done, place));
      if (call !== undefined) pauses.done(call, place);
    }
  }
  for (const [place, event] of events.entries()) {
    const call = event.kind === "done" ? calls.get(event.call) : undefined;
    if (event.kind === "done" && call !== undefined) addDone(jobs, call, event.done, place);
    if (event.kind === "answered" && event.ok) for (const id of made.get(event.call) ?? []) acknowledge(jobs, id);
    if (event.kind === "claimed")
      for (const claim of event.claims)
        jobs.get(claim.id)?.claims.push({ ...claim, worker: event.worker, place, wall: event.wall });
    if (event.kind === "claimed" && epochsAreLeases)
      for (const { fence } of event.claims) epochs.set(event.worker, fence.epoch);
    else if (event.kind === "lost") {
      lost.set(event.worker, [...(lost.get(event.worker) ?? []), place]);
      const { worker, since } = event;
      if (since !== undefined) troubled.push({ worker, from: events.findIndex(({ at }) => at >= since), to: place });
      for (const id of event.ids ?? [])
        toldLost.set(`${event.worker} ${id}`, [...(toldLost.get(`${event.worker} ${id}`) ?? []), place]);
    } else if (event.kind === "clock" && event.by < 0) putBacks.push(place);
    else if (event.kind === "final") final = new Map(event.records.map((record) => [record.id, record]));
  }
  // Processes hear of their claims at times of their own: the later claim may be heard of first.
  for (const { claims } of jobs.values()) claims.sort((one, other) => orderOf(one.fence) - orderOf(other.fence));
  if (unheardMayBeDone) {
    for (const call of calls.values()) if (!made.has(call.call)) addUnheard(jobs, call);
  }
  return { jobs, cancels, redrives, lost, toldLost, troubled, epochs, pauses: pauses.all, putBacks, events, final };
}

/** What was paused, and when surely. */
class Pauses {
  readonly all: Pause[] = [];
  readonly #resumes = new Map<number, { readonly names: readonly string[]; doneAt: number }>();

  asked({ call, verb, asked: { names = [] } }: Omit<Call, "place">, place: number): void {
    if (verb !== "resume") return;
    this.#resumes.set(call, { names, doneAt: Infinity });
    for (const pause of this.all) if (names.includes(pause.name)) pause.to = Math.min(pause.to, place);
  }

  done({ call, verb, asked, place }: Call, doneAt: number): void {
    const resume = this.#resumes.get(call);
    if (resume !== undefined) resume.doneAt = doneAt;
    if (verb !== "pause") return;
    // A resume that was on its way meanwhile may be the later of the two.
    const undone = [...this.#resumes.values()].filter((one) => one.doneAt > place).flatMap(({ names }) => names);
    for (const name of asked.names ?? [])
      if (!undone.includes(name)) this.all.push({ name, from: doneAt, to: Infinity });
  }
}

/** The ids that the call made. */
function addJobs(jobs: Map<string, JobHistory>, call: Call, done: Done, place: number): readonly string[] {
  const ids: string[] = [];
  for (const [index, { id, duplicate }] of (done.ids ?? []).entries()) {
    const asked = call.asked.jobs?.[index];
    if (duplicate || asked === undefined) continue;
    ids.push(id);
    const { after, ...rest } = asked;
    jobs.set(id, {
      ...rest,
      id,
      // Places in the same call become ids.
      ...(after !== undefined && {
        after: {
          on: after.on,
          jobs: after.jobs.map((job) => (typeof job === "number" ? (done.ids?.[job]?.id ?? "") : job)),
        },
      }),
      acknowledged: false,
      askedAt: call.place,
      askedWall: call.wall,
      doneAt: place,
      claims: [],
      settlements: [],
      notes: new Map(),
      noting: [],
      signals: [],
    });
  }
  return ids;
}

/** What the store did to jobs that are there. */
function addDone(jobs: Map<string, JobHistory>, call: Call, done: Done, place: number): void {
  for (const [index, receipt] of (done.receipts ?? []).entries()) {
    const asked = call.asked.settlements?.[index];
    const settlements = asked === undefined ? undefined : jobs.get(asked.id)?.settlements;
    // Offered again because its answer was lost, an outcome may be confirmed again; it is still one.
    if (asked !== undefined && settlements?.some((known) => isSame(known, asked)) === false)
      settlements.push({ ...asked, worker: call.worker, receipt, askedAt: call.place, doneAt: place });
    if (call.verb === "note") addNotes(jobs, call, receipt, place);
  }
  const told = call.verb === "signal" && done.state !== undefined ? jobs.get(call.asked.id ?? "") : undefined;
  told?.signals.push({
    name: call.asked.names?.[0] ?? "",
    value: call.asked.value ?? "",
    askedAt: call.place,
    doneAt: place,
  });
  if (call.verb === "cancel" && done.state === "cancelled") {
    const cancelled = jobs.get(call.asked.id ?? "");
    if (cancelled !== undefined) cancelled.cancelled ??= { askedAt: call.place, doneAt: place };
  }
}

function addNotes(
  jobs: Map<string, JobHistory>,
  { asked, worker, place }: Call,
  receipt: SettleReceipt,
  doneAt: number,
): void {
  const job = jobs.get(asked.id ?? "");
  const { fence, names = [] } = asked;
  if (job === undefined || fence === undefined) return;
  job.noting.push({ fence, names, receipt, worker, askedAt: place });
  if (receipt !== "settled") return;
  for (const name of names) if (!job.notes.has(name)) job.notes.set(name, doneAt);
}

function addUnheard(jobs: Map<string, JobHistory>, { asked, place, worker }: Call): void {
  for (const settlement of asked.settlements ?? [])
    jobs
      .get(settlement.id)
      ?.settlements.push({ ...settlement, worker, receipt: "unheard", askedAt: place, doneAt: Infinity });
}

function orderOf({ epoch, claim, order }: Fence): number {
  return order ?? epoch * 2 ** 32 + claim;
}

/** Where the claim may have been lost first; Infinity: it was not. */
export function lostAt(
  { lost, toldLost, troubled, epochs }: History,
  { worker, id, place, fence }: Claim & { readonly worker: WorkerLife; readonly place: number },
): number {
  // It hears of it late: at any time since then.
  const heard = toldLost.get(`${worker} ${id}`)?.some((told) => told > place) === true;
  if (heard || fence.epoch < (epochs.get(worker) ?? 0)) return place;
  if (troubled.some((time) => time.worker === worker && time.from <= place && place < time.to)) return place;
  return lost.get(worker)?.find((other) => other > place) ?? Infinity;
}

function isSame(known: JobHistory["settlements"][number], asked: AskedSettlement): boolean {
  const { receipt, to, fence } = known;
  return (
    receipt === "settled" && to === asked.to && fence.epoch === asked.fence.epoch && fence.claim === asked.fence.claim
  );
}

function acknowledge(jobs: Map<string, JobHistory>, id: string): void {
  const job = jobs.get(id);
  if (job !== undefined) job.acknowledged = true;
}
