/** What `serve({ threads })` can be told, checked at start. */
import { resolve } from "node:path";
import type { Resources } from "../resources/index.ts";

/** How many event loops answer. `"auto"`: as many as the processors and the memory of the container carry. */
export type Threads = "auto" | number | ThreadsOptions;

export interface ThreadsOptions {
  /** 1 to 128. Default `"auto"`. */
  readonly count?: "auto" | number;
  /** The module that every thread runs, and that calls `serve`. Default: the program's own, `process.argv[1]`. */
  readonly entry?: string | URL;
  /** Megabytes of V8's heap for each thread; over it the thread ends and is replaced, or, where V8 cannot do that, the process ends (`docs/threads.md`). Default: what the process's memory and its own heap limit allow, divided by `count`. At least 16. */
  readonly heapMB?: number;
  /**
   * Milliseconds of a thread's time slice, 0.1 to 100. With a short one a request does not wait until whatever has the processor has used up its own slice (1.4 to 3 ms by default),
   * so its tail stays what it is without jobs, also where they keep all processors busy; nobody gets less of a processor by it. Linux 6.12, x64 or arm64, and Node 26.1, which warns once
   * that `node:ffi` is experimental; elsewhere the threads run all the same, and the log says `thread.unsliced`. Default: the system's slice.
   * @example
   * const server = await serve(app, { threads: { count: 1, sliceMs: 0.1 }, store: sqlite("atlas.db") });
   */
  readonly sliceMs?: number;
}

/** The bounds of a pool of threads. */
export interface ThreadLimits {
  /** Milliseconds from a thread's start until it has called `serve`. */
  readonly startMs: number;
  /** Milliseconds until a thread that died is replaced; twice as long each time that its successor dies too. */
  readonly restartFirstMs: number;
  readonly restartMaxMs: number;
  /** A thread that has lived this long, in ms, is well again: the next restart waits `restartFirstMs`. */
  readonly wellMs: number;
  /** Deaths within `wellMs` after which the server stops, if no thread is left that answers. */
  readonly deaths: number;
  /** Calls of one thread that wait for the main thread. One more is STORE_UNAVAILABLE. */
  readonly pendingCalls: number;
  /** Milliseconds that a look at the metrics waits for a thread; one that does not answer is left out. */
  readonly snapshotMs: number;
}

export const threadLimits: ThreadLimits = Object.freeze({
  startMs: 30_000,
  restartFirstMs: 100,
  restartMaxMs: 10_000,
  wellMs: 60_000,
  deaths: 10,
  pendingCalls: 10_000,
  snapshotMs: 1_000,
});

export interface ResolvedThreads {
  readonly count: number;
  readonly entry: string | URL;
  readonly heapMB: number;
  /** Undefined: the system's. */
  readonly sliceMs: number | undefined;
}

const mostThreads = 128;
const leastHeapMB = 16;

/** @throws TypeError for a count, a heap or a slice that cannot be, and where there is no program to run again. */
export function resolveThreads(
  given: Threads,
  resources: Pick<Resources, "threads" | "heapLimitBytes" | "heapFitsMiB">,
): ResolvedThreads {
  const options: ThreadsOptions = typeof given === "object" ? given : { count: given };
  const { count: asked = "auto" } = options;
  const count = asked === "auto" ? Math.min(mostThreads, resources.threads) : asked;
  if (!Number.isInteger(count) || count < 1 || count > mostThreads)
    throw new TypeError(`serve(): threads is "auto" or a whole number from 1 to ${mostThreads}, not ${String(asked)}.`);
  const wholeMB = Math.min(resources.heapLimitBytes / 1024 / 1024, resources.heapFitsMiB);
  const heapMB = options.heapMB ?? Math.max(64, Math.floor(wholeMB / count));
  if (!Number.isFinite(heapMB) || heapMB < leastHeapMB)
    throw new TypeError(`serve(): threads.heapMB is a number of at least ${leastHeapMB}, not ${heapMB}.`);
  const { sliceMs } = options;
  if (sliceMs !== undefined && !(sliceMs >= 0.1 && sliceMs <= 100))
    throw new TypeError(`serve(): threads.sliceMs is a number of milliseconds from 0.1 to 100, not ${sliceMs}.`);
  return { count, entry: entryOf(options.entry), heapMB, sliceMs };
}

function entryOf(given: string | URL | undefined): string | URL {
  if (given instanceof URL) return given;
  if (given !== undefined) return given.startsWith("file:") ? new URL(given) : resolve(given);
  const program = process.argv[1];
  if (program === undefined || process.execArgv.some((flag) => /^(?:-e|-p|--eval|--print)\b/.test(flag))) {
    throw new TypeError(
      "serve(): threads run the program's module again, and this program has none. Name it: { threads: { entry: import.meta.url } }.",
    );
  }
  return resolve(program);
}
