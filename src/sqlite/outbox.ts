/**
 * What waits to be sent to the writer, and what was sent and waits for its commit. Every call leaves a waiter here; the reply, or the death of
 * the writer, resolves it.
 */
import { must } from "./must.ts";
import { err, NumberTable, ok, type Result } from "../core/index.ts";
import type {
  ClaimedJob,
  EnqueueReceipt,
  JobPolicy,
  NewJob,
  Settlement,
  SettleReceipt,
  StoreFault,
} from "../jobs/index.ts";
import { SlottedJob } from "./claimed.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { Packer, type Run } from "./packer.ts";
import type { AttemptRef, Batch, BatchReply, Op, OpReply, SettleOp } from "./protocol.ts";
import { receipt, unavailable } from "./receipt.ts";

/** Jobs of one call that are neighbours in one run. */
interface Part {
  readonly run: Run;
  readonly start: number;
  count: number;
}

/** The first part stands by itself: most calls have no other. */
interface EnqueueWaiter {
  readonly run: Run;
  readonly start: number;
  readonly count: number;
  readonly more: readonly Part[] | undefined;
  readonly resolve: (result: Result<readonly EnqueueReceipt[], StoreFault>) => void;
}

/** Successes of one call that are neighbours in one section. */
interface Stretch {
  readonly section: number;
  readonly place: number;
  readonly index: number;
  count: number;
}

interface SettleWaiter {
  readonly size: number;
  readonly stretches: readonly Stretch[];
  /** Pairs of index in the call and index of the operation. */
  readonly ops: readonly number[];
  readonly resolve: (result: Result<readonly SettleReceipt[], StoreFault>) => void;
}

interface OpWaiter {
  readonly op: number;
  readonly growth: boolean;
  readonly resolve: (result: Result<OpReply, StoreFault>) => void;
}

interface Sent {
  readonly number: number;
  readonly jobs: number;
  readonly bytes: number;
  readonly enqueues: readonly EnqueueWaiter[];
  readonly settles: readonly SettleWaiter[];
  readonly ops: readonly OpWaiter[];
  readonly runs: readonly Run[];
}

export class Outbox {
  readonly #packer = new Packer();
  readonly #policy: (name: string) => JobPolicy | undefined;
  readonly #attempts: (name: string) => number;
  readonly #sent = new NumberTable<Sent>();
  readonly #names = new Map<string, number>();
  readonly #nameList: string[] = [];
  #namesTold = 0;
  #number = 0;
  #jobs = 0;
  #inFlightBytes = 0;
  #inFlightJobs = 0;
  #inFlightOps = 0;
  #enqueues: EnqueueWaiter[] = [];
  #settles: SettleWaiter[] = [];
  #opWaiters: OpWaiter[] = [];
  #ops: Op[] = [];
  #grants: number[] = [];

  constructor(policy: (name: string) => JobPolicy | undefined, attempts: (name: string) => number) {
    this.#policy = policy;
    this.#attempts = attempts;
  }

  /** Whether there is anything to send. */
  get empty(): boolean {
    return this.#packer.size === 0 && this.#ops.length === 0 && this.#grants.length === 0;
  }

  get messagesInFlight(): number {
    return this.#sent.size;
  }

  /** Jobs and bytes that wait for their commit. */
  get unsettledJobs(): number {
    return this.#jobs + this.#inFlightJobs;
  }

  get unsettledBytes(): number {
    return this.#packer.size + this.#inFlightBytes;
  }

  /** Operations of callers that wait for their reply. */
  get operations(): number {
    return this.#opWaiters.length + this.#inFlightOps;
  }

  /** Large enough to be sent without waiting for the end of the turn. */
  get full(): boolean {
    return this.#packer.size >= limits.messageBytes || this.#ops.length >= limits.messageOperations;
  }

  /** A number for a name, told to the writer with the next message. */
  numberOf(name: string): number {
    let number = this.#names.get(name);
    if (number === undefined) {
      number = this.#nameList.length;
      if (number >= limits.names)
        throw new TypeError(
          `More than ${limits.names} different job names. A name is a kind of job: put what varies into the payload.`,
        );
      this.#names.set(name, number);
      this.#nameList.push(name);
    }
    return number;
  }

  nameOf(number: number): string {
    return must(this.#nameList[number]);
  }

  enqueue(jobs: readonly NewJob[], now: number): Promise<Result<readonly EnqueueReceipt[], StoreFault>> {
    let run: Run | undefined;
    let start = 0;
    let count = 0;
    let more: Part[] | undefined;
    let last: Part | undefined;
    for (const job of jobs) {
      const packed = this.#packer.addJob(this.numberOf(job.name) * 10 + job.priority, job, now);
      if (run === undefined) {
        run = packed;
        start = this.#packer.place;
      }
      if (last !== undefined && last.run === packed) last.count++;
      else if (last === undefined && run === packed) count++;
      else (more ??= []).push((last = { run: packed, start: this.#packer.place, count: 1 }));
    }
    this.#jobs += jobs.length;
    const first = must(run);
    return new Promise((resolve) => this.#enqueues.push({ run: first, start, count, more, resolve }));
  }

  /** A call in which jobs name others: those go as they are, with what the writer needs to find the rest of the call. */
  enqueueDependents(jobs: readonly NewJob[], now: number): Promise<Result<readonly EnqueueReceipt[], StoreFault>> {
    const named: NewJob[] = [];
    const places: number[] = [];
    const parts: (Part & { readonly index: number; readonly number: number })[] = [];
    jobs.forEach((job, index) => {
      // What an ordered key must keep behind such a job comes after it one by one as well.
      if (job.after !== undefined || (named.length > 0 && job.key !== undefined)) {
        this.numberOf(job.name);
        named.push(job);
        places.push(index);
        return;
      }
      const run = this.#packer.addJob(this.numberOf(job.name) * 10 + job.priority, job, now);
      const last = parts.at(-1);
      if (last !== undefined && last.run === run && last.index + last.count === index) last.count++;
      else parts.push({ run, start: this.#packer.place, count: 1, index, number: this.#packer.runs.length - 1 });
    });
    const others = parts.map(({ index, number, start, count }) => ({ index, run: number, start, count }));
    const answered = this.operate({ op: "dependents", jobs: named, places, others }, true, jobs.length);
    return answered.then((answer) => {
      if (!answer.ok) return answer;
      const receipts: EnqueueReceipt[] = [];
      const { receipts: made } = answer.value as { receipts: readonly EnqueueReceipt[] };
      made.forEach((one, i) => (receipts[must(places[i])] = one));
      for (const part of parts) {
        const some: EnqueueReceipt[] = [];
        addReceipts(some, part);
        some.forEach((one, i) => (receipts[part.index + i] = one));
      }
      return ok(receipts);
    });
  }

  settle(settlements: readonly Settlement[], epoch: number): Promise<Result<readonly SettleReceipt[], StoreFault>> {
    const stretches: Stretch[] = [];
    const ops: number[] = [];
    let last: Stretch | undefined;
    let index = -1;
    for (const settlement of settlements) {
      index++;
      const { job } = settlement;
      if (settlement.to !== "succeeded" || !isSlotted(job, epoch)) {
        ops.push(index, this.#ops.length);
        this.#ops.push(settleOp(settlement, refOf(job, epoch)));
        continue;
      }
      this.#packer.addSuccess(job.fence.claim, job.slot, settlement.result);
      const section = this.#packer.sections - 1;
      if (last !== undefined && last.section === section && last.index + last.count === index) last.count++;
      else stretches.push((last = { section, place: this.#packer.place, index, count: 1 }));
    }
    return new Promise((resolve) => this.#settles.push({ size: settlements.length, stretches, ops, resolve }));
  }

  /** `growth`: refused while the disk is full. `jobs`: how many it adds. */
  operate(op: Op, growth = false, jobs = 0): Promise<Result<OpReply, StoreFault>> {
    this.#ops.push(op);
    this.#jobs += jobs;
    return new Promise((resolve) => this.#opWaiters.push({ op: this.#ops.length - 1, growth, resolve }));
  }

  grant(name: string, credit: number): void {
    this.#grants.push(this.numberOf(name), credit);
  }

  /** The next message, and the buffers that go with it. */
  take(now: number): { batch: Batch; transfer: ArrayBuffer[] } {
    const bytes = this.#packer.size;
    const { arenas, runs } = this.#packer.take();
    const number = ++this.#number;
    const namesFrom = this.#namesTold;
    const names = this.#nameList.slice(namesFrom);
    this.#namesTold = this.#nameList.length;
    const batch: Batch = {
      kind: "batch",
      number,
      now,
      arenas,
      namesFrom,
      names,
      policies: names.map(this.#policy),
      attempts: names.map(this.#attempts),
      ops: this.#ops,
      grants: this.#grants,
    };
    this.#sent.set(number, {
      number,
      jobs: this.#jobs,
      bytes,
      runs,
      enqueues: this.#enqueues,
      settles: this.#settles,
      ops: this.#opWaiters,
    });
    this.#inFlightBytes += bytes;
    this.#inFlightJobs += this.#jobs;
    this.#inFlightOps += this.#opWaiters.length;
    this.#jobs = 0;
    this.#enqueues = [];
    this.#settles = [];
    this.#opWaiters = [];
    this.#ops = [];
    this.#grants = [];
    return { batch, transfer: arenas.map((arena) => arena.buffer) };
  }

  recycle(buffers: readonly ArrayBuffer[]): void {
    for (const buffer of buffers) this.#packer.recycle(buffer);
  }

  /** A message was committed, or refused as a whole. */
  resolve(reply: BatchReply): void {
    const sent = this.#sent.get(reply.number);
    if (sent === undefined) return;
    this.#forget(sent);
    if (reply.fault !== undefined) return failAll(sent, reply.fault);
    const growth = reply.growthFault;
    sent.runs.forEach((run, index) => (run.reply = reply.jobs[index]));
    for (const waiter of sent.enqueues)
      waiter.resolve(growth === undefined ? ok(receiptsOf(waiter)) : err(unavailable(growth)));
    for (const waiter of sent.settles) waiter.resolve(ok(settleReceipts(waiter, reply)));
    for (const waiter of sent.ops) {
      const answer = reply.ops[waiter.op];
      if (waiter.growth && growth !== undefined) waiter.resolve(err(unavailable(growth)));
      else waiter.resolve(isUnread(answer) ? err(unavailable(answer.unread)) : ok(answer));
    }
  }

  /** The writer died, or the store closes: everybody who waits is told. Names are told again to the next writer. */
  failEverything(reason: string): void {
    const { batch } = this.take(0);
    this.recycle(batch.arenas.map((arena) => arena.buffer));
    for (const sent of this.#sent.values) {
      this.#forget(sent);
      failAll(sent, reason);
    }
    this.#namesTold = 0;
  }

  #forget(sent: Sent): void {
    this.#sent.delete(sent.number);
    this.#inFlightBytes -= sent.bytes;
    this.#inFlightJobs -= sent.jobs;
    this.#inFlightOps -= sent.ops.length;
  }
}

function isUnread(answer: OpReply): answer is { readonly unread: string } {
  return typeof answer === "object" && "unread" in answer;
}

function failAll(sent: Sent, reason: string): void {
  const fault = unavailable(reason);
  for (const waiter of sent.enqueues) waiter.resolve(err(fault));
  for (const waiter of sent.settles) waiter.resolve(err(fault));
  for (const waiter of sent.ops) waiter.resolve(err(fault));
}

function receiptsOf(waiter: EnqueueWaiter): EnqueueReceipt[] {
  const receipts: EnqueueReceipt[] = [];
  addReceipts(receipts, waiter);
  if (waiter.more !== undefined) for (const part of waiter.more) addReceipts(receipts, part);
  return receipts;
}

function addReceipts(receipts: EnqueueReceipt[], { run, start, count }: Readonly<Part>): void {
  const { first, ids, duplicates } = must(run.reply);
  for (let place = start; place < start + count; place++) {
    if (ids === undefined) receipts.push({ id: String(first + place), duplicate: false });
    else receipts.push(receipt(must(ids[place]), must(duplicates)[place] === 1));
  }
}

function settleReceipts(waiter: SettleWaiter, reply: BatchReply): SettleReceipt[] {
  const receipts: SettleReceipt[] = [];
  for (let index = 0; index < waiter.size; index++) receipts.push("settled");
  for (let i = 0; i < waiter.ops.length; i += 2)
    receipts[must(waiter.ops[i])] = reply.ops[must(waiter.ops[i + 1])] as SettleReceipt;
  for (let i = 0; i < reply.stale.length; i += 2) {
    const section = must(reply.stale[i]);
    const place = must(reply.stale[i + 1]);
    const stretch = waiter.stretches.find(
      (one) => one.section === section && place >= one.place && place < one.place + one.count,
    );
    if (stretch !== undefined) receipts[stretch.index + place - stretch.place] = "stale";
  }
  return receipts;
}

/** Whether the job came from this session as it is: then its place in the claim names it. */
function isSlotted(job: ClaimedJob, epoch: number): job is SlottedJob {
  return job instanceof SlottedJob && job.fence.epoch === epoch;
}

function refOf(job: ClaimedJob, epoch: number): AttemptRef {
  if (isSlotted(job, epoch)) return { claim: job.fence.claim, slot: job.slot };
  return { epoch: job.fence.epoch, claim: job.fence.claim, id: job.id };
}

function settleOp(settlement: Settlement, ref: AttemptRef): SettleOp {
  switch (settlement.to) {
    case "succeeded":
      return { op: "settle", ref, to: "succeeded", result: settlement.result };
    case "retry":
      return { op: "settle", ref, to: "retry", runAt: settlement.runAt, error: settlement.error };
    case "failed":
      return { op: "settle", ref, to: "failed", error: settlement.error };
    case "cancelled":
      return { op: "settle", ref, to: "cancelled", error: settlement.error };
    case "snoozed":
      return { op: "settle", ref, to: "snoozed", runAt: settlement.runAt };
    case "waiting":
      return { op: "settle", ref, to: "waiting", signal: settlement.signal, until: settlement.until };
    case "released":
      return { op: "settle", ref, to: "released" };
  }
}
