/** The verbs of an open store that look, pause and prune, on the calling thread. */
import { ok, type Result } from "../core/index.ts";
import type {
  Backlog,
  JobCounts,
  JobFilter,
  JobId,
  JobRecord,
  JobState,
  StoreFault,
  StoreResult,
} from "../jobs/index.ts";
import type { Op, OpReply } from "./protocol.ts";

type Operate = (op: Op) => Promise<Result<OpReply, StoreFault>>;

export class Reads {
  readonly #operate: Operate;

  constructor(operate: Operate) {
    this.#operate = operate;
  }

  async get(id: JobId): StoreResult<JobRecord | undefined> {
    const result = await this.#operate({ op: "get", id });
    return result.ok ? ok((result.value as { record: JobRecord } | undefined)?.record) : result;
  }

  async state(id: JobId): StoreResult<JobState | undefined> {
    const result = await this.#operate({ op: "state", id });
    return result.ok ? ok((result.value as { state: JobState } | undefined)?.state) : result;
  }

  async list(filter: JobFilter): StoreResult<readonly JobRecord[]> {
    const result = await this.#operate({ op: "list", filter });
    return result.ok ? ok((result.value as { records: readonly JobRecord[] }).records) : result;
  }

  async counts(name?: string): StoreResult<JobCounts> {
    const result = await this.#operate({ op: "counts", name });
    return result.ok ? ok((result.value as { counts: JobCounts }).counts) : result;
  }

  async occurrences(): StoreResult<ReadonlyMap<string, number>> {
    const result = await this.#operate({ op: "occurrences" });
    return result.ok
      ? ok(new Map((result.value as { occurrences: readonly (readonly [string, number])[] }).occurrences))
      : result;
  }

  async pause(names: readonly string[], pause: boolean): StoreResult<void> {
    const result = await this.#operate({ op: pause ? "pause" : "resume", names });
    return result.ok ? ok(undefined) : result;
  }

  async paused(): StoreResult<readonly string[]> {
    const result = await this.#operate({ op: "paused" });
    return result.ok ? ok((result.value as { paused: readonly string[] }).paused) : result;
  }

  async backlog(names: readonly string[]): StoreResult<Backlog> {
    const result = await this.#operate({ op: "backlog", names });
    return result.ok ? ok((result.value as { backlog: Backlog }).backlog) : result;
  }

  async prune(): StoreResult<number> {
    let removed = 0;
    for (;;) {
      const result = await this.#operate({ op: "prune" });
      if (!result.ok) return result;
      const step = result.value as number;
      removed += Math.abs(step);
      if (step >= 0) return ok(removed);
    }
  }
}
