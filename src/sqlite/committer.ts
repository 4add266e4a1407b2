/**
 * The group commit: everything that arrived while the last commit was under way becomes one transaction, and then one reply. Memory follows the
 * transaction: when it fails, the journal puts memory back, and the callers learn that nothing was kept.
 */
import { must } from "./must.ts";
import type { CrashedJobs } from "../jobs/index.ts";
import { answer } from "./answers.ts";
import { cancelJob, redriveJob, signalNow } from "./by-hand.ts";
import { claimJobs, type Claimed } from "./claims.ts";
import { Completions } from "./completion.ts";
import { laneOf, total, unstarted, type Core, type JobName } from "./core.ts";
import { tellDependents } from "./dependents.ts";
import { enqueueDependents, enqueueInTransaction } from "./enqueue.ts";
import { bufferOf } from "./entries.ts";
import { isDeferredConstraint, isStorage, rejection, storageReason } from "./failures.ts";
import { Intake } from "./intake.ts";
import { KvTable } from "./kv-table.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { forgetIdleKeys } from "./limiting.ts";
import { NameBook } from "./names.ts";
import { nextDue, promoteDue } from "./parking.ts";
import { opensByTime, setPaused } from "./pausing.ts";
import { nextExpiry, overCount, prune } from "./prune.ts";
import {
  blockFlagsOfRun,
  jobsHeader,
  runSpecial,
  sectionJobs,
  successesHeader,
  type Arena,
  type Batch,
  type BatchReply,
  type CommitReply,
  type JobsReply,
  type Op,
  type OpReply,
} from "./protocol.ts";
import { noteOne, placeReleased, settleOne, type Released } from "./settling.ts";
import type { ApplicationSql } from "./transaction.ts";
import { rebuildTurns } from "./turns.ts";

/** What is being gathered for one batch's reply. */
interface Draft {
  readonly jobs: JobsReply[];
  readonly stale: number[];
  readonly ops: OpReply[];
  sections: number;
}

/** What of the batches is applied: without growth, only what finishes jobs; `fault` is then why. */
interface Attempt {
  readonly growth: boolean;
  readonly transactions: boolean;
  readonly fault?: string;
}

export class Committer {
  readonly #core: Core;
  readonly #sql: ApplicationSql;
  readonly #kv: KvTable;
  readonly #done = new Completions();
  readonly #intake = new Intake();
  readonly #released: Released = new Map();
  readonly #names: NameBook;
  readonly #consuming = new Set<JobName>();
  /** Credit that came with messages and is not yet committed: it outlives a commit that fails. */
  readonly #grants: number[] = [];
  #pruneAt = 0;
  #commits = 0;
  #trouble: string | undefined;
  /** Work is left that needs no message: the next commit should follow at once. */
  more = false;
  /** Jobs that the last commit was asked to add, and jobs that it was told to have succeeded. */
  carried = 0;

  constructor(core: Core, sql: ApplicationSql) {
    this.#core = core;
    this.#sql = sql;
    this.#kv = new KvTable(core);
    this.#names = new NameBook(core);
  }

  /** Applies and commits; never throws for a full disk or a locked file. */
  commit(batches: readonly Batch[]): CommitReply {
    for (const batch of batches) {
      this.#core.now = batch.now;
      this.#names.tell(batch.namesFrom, batch.names, batch.policies);
      this.#grants.push(...batch.grants);
    }
    try {
      const reply = this.#attempt(batches, { growth: true, transactions: true });
      this.#trouble = undefined;
      return reply;
    } catch (thrown) {
      this.#undo();
      if (isDeferredConstraint(thrown)) return this.#oneByOne(batches);
      this.#trouble = storageReason(thrown);
      return this.#withoutGrowth(batches, this.#trouble);
    }
  }

  /** A constraint that is checked at the commit said no: each application transaction gets a commit of its own, so that only its owner hears of it. */
  #oneByOne(batches: readonly Batch[]): CommitReply {
    try {
      const reply = this.#attempt(batches, { growth: true, transactions: false });
      this.more = true;
      return { ...reply, batches: reply.batches.map((one, index) => this.#transactAlone(must(batches[index]), one)) };
    } catch (thrown) {
      this.#undo();
      this.#trouble = storageReason(thrown);
      return this.#withoutGrowth(batches, this.#trouble);
    }
  }

  #transactAlone(batch: Batch, reply: BatchReply): BatchReply {
    const ops = batch.ops.map((op, index) => {
      if (op.op !== "transaction") return reply.ops[index];
      try {
        this.#core.db.exec("BEGIN IMMEDIATE");
        const done = this.#transact(op);
        this.#settlePending();
        this.#core.db.exec("COMMIT");
        this.#core.journal.clear();
        return done;
      } catch (thrown) {
        this.#undo();
        if (!isDeferredConstraint(thrown)) storageReason(thrown);
        return rejection(thrown);
      }
    });
    return { ...reply, ops };
  }

  /** What finishes jobs goes through even where new work does not fit: it is what makes room. */
  #withoutGrowth(batches: readonly Batch[], reason: string): CommitReply {
    this.more = false;
    try {
      return this.#attempt(batches, { growth: false, transactions: false, fault: reason });
    } catch (thrown) {
      this.#undo();
      const fault = storageReason(thrown);
      const replies = batches.map((batch) => ({ number: batch.number, fault, jobs: [], stale: [], ops: [] }));
      return this.#reply(replies, undefined, batches);
    }
  }

  #undo(): void {
    const core = this.#core;
    if (core.db.isTransaction) core.db.exec("ROLLBACK");
    core.journal.rollBack();
    rebuildTurns(core);
    this.#done.clear();
    this.#intake.clear();
    this.#released.clear();
    core.flow.abandoned = [];
    core.flow.crashed.take();
  }

  #attempt(batches: readonly Batch[], what: Attempt): CommitReply {
    const core = this.#core;
    this.carried = 0;
    core.db.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < this.#grants.length; i += 2) this.#grant(must(this.#grants[i]), must(this.#grants[i + 1]));
    const drafts = batches.map((batch) => this.#apply(batch, what));
    this.#settlePending();
    this.more = promoteDue(core);
    // News costs room; the settlement that it is of does not wait for it.
    if (what.growth && tellDependents(core)) this.more = true;
    if (overCount(core) || core.now >= this.#pruneAt) this.#prune();
    const claimed: Claimed = what.growth ? claimJobs(core, [...this.#consuming]) : { reply: undefined, more: false };
    core.db.exec("COMMIT");
    core.journal.clear();
    forgetIdleKeys(core);
    this.#grants.length = 0;
    this.#commits++;
    this.more ||= claimed.more;
    const replies = batches.map((batch, index) => this.#finish(batch, must(drafts[index]), what.fault));
    return this.#reply(replies, claimed, batches);
  }

  #prune(): void {
    const core = this.#core;
    const { more } = prune(core);
    this.more ||= more;
    if (more) return;
    const before = this.#pruneAt;
    this.#pruneAt = nextExpiry(core);
    core.journal.add(() => (this.#pruneAt = before));
  }

  /** Writes what was gathered, so that statements that follow see it. */
  #settlePending(): void {
    this.#done.flush(this.#core);
    this.#intake.flush(this.#core);
    placeReleased(this.#core, this.#released);
  }

  #apply(batch: Batch, what: Attempt): Draft {
    const draft: Draft = { jobs: [], stale: [], ops: [], sections: 0 };
    for (const arena of batch.arenas) this.#applyArena(arena, draft, what.growth);
    batch.ops.forEach((op, index) => (draft.ops[index] = this.#applyOp(op, what, draft)));
    return draft;
  }

  #grant(local: number, credit: number): void {
    const name = this.#names.ofNumber(local);
    const added = !this.#consuming.has(name);
    this.#consuming.add(name);
    name.credit += credit;
    this.#core.journal.add(() => {
      name.credit -= credit;
      if (added) this.#consuming.delete(name);
    });
  }

  #applyArena(arena: Arena, draft: Draft, growth: boolean): void {
    const bytes = bufferOf(arena.buffer);
    for (let at = 0; at < arena.used;) {
      at =
        bytes[at] === sectionJobs ? this.#applyJobs(bytes, at, draft, growth) : this.#applySuccesses(bytes, at, draft);
    }
  }

  #applyJobs(bytes: Buffer, at: number, draft: Draft, growth: boolean): number {
    const from = at + jobsHeader;
    const to = from + bytes.readUInt32LE(at + 10);
    if (!growth) return to;
    const lane = bytes.readUInt32LE(at + 2);
    const target = laneOf(this.#names.ofNumber(Math.floor(lane / 10)), lane % 10);
    const n = bytes.readUInt32LE(at + 6);
    this.carried += n;
    const enqueuedAt = bytes.readDoubleLE(at + 14);
    const run = bytes.subarray(from, to);
    const special = must(bytes[at + 1]);
    draft.jobs.push(
      special & runSpecial
        ? this.#intake.addSpecialRun(this.#core, target, n, enqueuedAt, run)
        : this.#intake.addRun(this.#core, target, n, enqueuedAt, run, blockFlagsOfRun(special)),
    );
    return to;
  }

  #applySuccesses(bytes: Buffer, at: number, draft: Draft): number {
    const section = draft.sections++;
    const claimId = bytes.readDoubleLE(at + 2);
    const slot = bytes.readUInt32LE(at + 10);
    const n = bytes.readUInt32LE(at + 14);
    this.carried += n;
    const from = at + successesHeader;
    const to = from + bytes.readUInt32LE(at + 18);
    const onStale = (stale: number): void => void draft.stale.push(section, stale - slot);
    const claim = this.#core.claims.get(claimId);
    if (claim === undefined) for (let i = 0; i < n; i++) onStale(slot + i);
    else
      this.#done.succeed(
        this.#core,
        claim,
        slot,
        n,
        bytes[at + 1] === 1 ? bytes.subarray(from, to) : undefined,
        onStale,
      );
    return to;
  }

  #applyOp(op: Op, { growth, transactions }: Attempt, draft: Draft): OpReply {
    const core = this.#core;
    switch (op.op) {
      case "settle":
        return settleOne(core, this.#done, this.#released, op);
      case "cancel":
        this.#settlePending();
        return cancelJob(core, this.#done, op.id);
      case "retry":
        this.#settlePending();
        return redriveJob(core, op.id);
      case "note":
        return growth ? noteOne(core, op) : undefined;
      case "signal":
        if (!growth) return undefined;
        this.#settlePending();
        return signalNow(core, op);
      case "dependents":
        if (!growth) return undefined;
        this.#settlePending();
        return {
          receipts: enqueueDependents(core, this.#intake, op, draft.jobs, (text) => this.#names.ofText(text)),
        };
      case "prune": {
        const { removed, more } = prune(core);
        return more ? -removed : removed;
      }
      case "pause":
      case "resume":
        return setPaused(core, op.names, op.op === "pause");
      case "stop":
        for (const name of this.#consuming) {
          const credit = name.credit;
          name.credit = 0;
          core.journal.add(() => (name.credit = credit));
        }
        return undefined;
      case "kv":
        return growth || op.verb === "get" || op.verb === "delete" ? { kv: this.#kv.apply(op) } : undefined;
      case "transaction":
        return transactions ? this.#transact(op) : undefined;
      default:
        return undefined;
    }
  }

  #transact(op: Extract<Op, { op: "transaction" }>): OpReply {
    const core = this.#core;
    this.#settlePending();
    const mark = core.journal.mark();
    core.db.exec("SAVEPOINT tensile_transaction");
    try {
      const changes = op.steps.map((step) => this.#sql.run(step));
      for (const write of op.writes) this.#kv.require(write);
      const receipts = enqueueInTransaction(core, this.#intake, op.jobs, (text) => this.#names.ofText(text));
      core.db.exec("RELEASE tensile_transaction");
      return { changes, receipts };
    } catch (thrown) {
      // A full disk ends the whole transaction: nobody's part of it was kept.
      if (!core.db.isTransaction || isStorage(thrown)) throw thrown;
      core.db.exec("ROLLBACK TO tensile_transaction; RELEASE tensile_transaction");
      core.journal.rollBack(mark);
      return rejection(thrown);
    }
  }

  /** Reads see what was just committed. What is committed stays so when one of them fails. */
  #finish(batch: Batch, draft: Draft, growthFault: string | undefined): BatchReply {
    batch.ops.forEach((op, index) => {
      try {
        const read = answer(this.#core, op);
        if (read !== undefined) draft.ops[index] = read;
      } catch (thrown) {
        draft.ops[index] = { unread: storageReason(thrown) };
      }
    });
    const reply = { number: batch.number, jobs: draft.jobs, stale: draft.stale, ops: draft.ops };
    return growthFault === undefined ? reply : { ...reply, growthFault };
  }

  #reply(batches: readonly BatchReply[], claimed: Claimed | undefined, sources: readonly Batch[]): CommitReply {
    const core = this.#core;
    return {
      kind: "committed",
      batches,
      claim: claimed?.reply,
      arenas: sources.flatMap((batch) => batch.arenas.map((arena) => arena.buffer)),
      waiting: unstarted(core),
      wakeAt: this.wakeAt(),
      trouble: this.#trouble,
      ...this.#takeAbandoned(),
      ...this.#takeCrashed(),
      commits: this.#commits,
    };
  }

  #takeAbandoned(): { abandoned?: readonly number[] } {
    const { abandoned } = this.#core.flow;
    if (abandoned.length === 0) return {};
    this.#core.flow.abandoned = [];
    return { abandoned };
  }

  #takeCrashed(): { crashed?: readonly CrashedJobs[] } {
    const crashed = this.#core.flow.crashed.take();
    return crashed.length === 0 ? {} : { crashed };
  }

  /** When something is due that no message will bring. Where that cannot be read, soon: by then it may be. */
  wakeAt(): number {
    try {
      return this.#dueAt();
    } catch (thrown) {
      storageReason(thrown);
      return this.#core.now + limits.troubleRetryMs;
    }
  }

  #dueAt(): number {
    const core = this.#core;
    if (this.#trouble !== undefined) return core.now + limits.troubleRetryMs;
    // What a crash left untold.
    if (core.flow.untold) return core.now;
    const finished = total(core, "succeeded") + total(core, "failed") + total(core, "cancelled") > 0;
    const expires = finished || core.flow.windows;
    if (expires && this.#pruneAt === Infinity) this.#pruneAt = nextExpiry(core);
    return Math.min(nextDue(core), opensByTime(core, this.#consuming), expires ? this.#pruneAt : Infinity);
  }
}
