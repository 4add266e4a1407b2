/** The verbs of an open store for what jobs keep and wait for, on the calling thread. */
import { err, ok, type Result } from "../core/index.ts";
import type {
  ClaimedJob,
  DependencyRecord,
  JobId,
  JobNote,
  JobState,
  SettleReceipt,
  StoreFault,
  StoreResult,
} from "../jobs/index.ts";
import { checkNotes, checkSignal } from "./check-job.ts";
import type { Op, OpReply } from "./protocol.ts";
import { queueFull } from "./receipt.ts";

/** `growth`: refused while the disk is full. */
type Operate = (op: Op, growth?: boolean) => Promise<Result<OpReply, StoreFault>>;

export class FlowVerbs {
  readonly #operate: Operate;

  constructor(operate: Operate) {
    this.#operate = operate;
  }

  async note(job: ClaimedJob, notes: readonly JobNote[], progress: string | undefined): StoreResult<SettleReceipt> {
    checkNotes(job, notes, progress);
    // By its id as well as its fence: what is kept for a job must not go to its neighbour in the claim.
    const ref = { epoch: job.fence.epoch, claim: job.fence.claim, id: job.id };
    const op = { op: "note", ref, notes, progress } as const;
    return unlessFull(await this.#operate(op, true)) as Result<SettleReceipt, StoreFault>;
  }

  async notes(id: JobId): StoreResult<readonly JobNote[]> {
    const result = await this.#operate({ op: "notes", id });
    return result.ok ? ok((result.value as { notes: readonly JobNote[] }).notes) : result;
  }

  async signal(id: JobId, name: string, value: string): StoreResult<JobState | undefined> {
    checkSignal(name, value);
    const result = unlessFull(await this.#operate({ op: "signal", id, name, value }, true));
    return result.ok ? ok((result.value as { state: JobState } | undefined)?.state) : result;
  }

  async dependencies(id: JobId): StoreResult<readonly DependencyRecord[]> {
    const result = await this.#operate({ op: "dependencies", id });
    return result.ok ? ok((result.value as { dependencies: readonly DependencyRecord[] }).dependencies) : result;
  }
}

/** The job has more notes than it may. */
function unlessFull(result: Result<OpReply, StoreFault>): Result<OpReply, StoreFault> {
  if (!result.ok || typeof result.value !== "object" || !("full" in result.value)) return result;
  return err(queueFull(result.value.full, "notes of one job"));
}
