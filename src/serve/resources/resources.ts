/** What this process may use: the least of its container, the machine, and what it was told. */
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { cgroupLimits, type ReadFile } from "./cgroup.ts";

export interface Resources {
  /** Bytes that the process may hold, heap, buffers and all. */
  readonly memoryBytes: number;
  /** `cgroup2`, `cgroup1`: the container's limit. `system`: all that the machine has. `option`: `serve({ memory })`. */
  readonly memoryFrom: "cgroup1" | "cgroup2" | "system" | "option";
  /** Cores' worth of time: 0.5 is half of one. */
  readonly cpus: number;
  readonly cpusFrom: "cgroup1" | "cgroup2" | "system";
  /** Where V8 gives up: `v8.getHeapStatistics().heap_size_limit`. */
  readonly heapLimitBytes: number;
  /** Mebibytes for `--max-old-space-size` that leave room for what is not heap. */
  readonly heapFitsMiB: number;
  /** What to do where the heap limit does not fit the memory; undefined where it does. */
  readonly heapAdvice: string | undefined;
  /** Event loops that the cores and the memory carry: what `threads: "auto"` means. */
  readonly threads: number;
}

/** Where the facts come from; the defaults are the real ones. */
export interface ResourceSources {
  readonly read: ReadFile;
  readonly totalBytes: number;
  readonly cores: number;
  readonly heapLimitBytes: number;
}

const mebibyte = 1024 * 1024;
/** Node itself, its code and stacks, before a byte of the application. */
const baseBytes = 64 * mebibyte;
/** Of the memory: buffers of sockets and bodies, the young generation, other threads. */
const outsideHeap = 0.25;
/** One more event loop: its heap, and its share of connections. */
const threadBytes = 128 * mebibyte;

/**
 * Reads them once: some ten small files.
 *
 * @param budgetBytes What the process was told to keep to; it cannot raise what the container allows.
 * @throws TypeError for a budget that is no number of at least 64 MiB.
 */
export function readResources(budgetBytes?: number, sources: ResourceSources = systemSources()): Resources {
  if (budgetBytes !== undefined && !(Number.isFinite(budgetBytes) && budgetBytes >= baseBytes))
    throw new TypeError(`The option "memory" is a number of bytes of at least 64 MiB; it is ${String(budgetBytes)}.`);
  const { memoryMax, memoryHigh, cpus: quota, version } = cgroupLimits(sources.read);
  const group = version === 1 ? "cgroup1" : "cgroup2";
  const container = Math.min(memoryMax ?? Infinity, memoryHigh ?? Infinity);
  const limits: readonly (readonly [bytes: number, from: Resources["memoryFrom"]])[] = [
    [sources.totalBytes, "system"],
    [container, group],
    [budgetBytes ?? Infinity, "option"],
  ];
  const [memoryBytes, memoryFrom] = limits.reduce((low, next) => (next[0] < low[0] ? next : low));
  const cpus = Math.min(quota ?? Infinity, sources.cores);
  const { heapLimitBytes } = sources;
  const heapFitsMiB = Math.max(32, Math.floor((memoryBytes * (1 - outsideHeap) - baseBytes) / mebibyte));
  return Object.freeze({
    memoryBytes,
    memoryFrom,
    cpus,
    cpusFrom: quota !== undefined && quota < sources.cores ? group : "system",
    heapLimitBytes,
    heapFitsMiB,
    heapAdvice: heapAdvice(heapLimitBytes, heapFitsMiB, memoryBytes, memoryFrom),
    threads: Math.max(1, Math.min(Math.floor(cpus), Math.floor(memoryBytes / threadBytes))),
  });
}

/** A little over is no reason to speak, and a heap limit below what would fit may be meant so where the machine is not limited. */
function heapAdvice(
  heapBytes: number,
  fitsMiB: number,
  memoryBytes: number,
  from: Resources["memoryFrom"],
): string | undefined {
  const heapMiB = Math.round(heapBytes / mebibyte);
  const memoryMiB = Math.floor(memoryBytes / mebibyte);
  const set = `Set NODE_OPTIONS=--max-old-space-size=${fitsMiB}.`;
  if (heapMiB > fitsMiB * 1.15)
    return `V8 may use ${heapMiB} MiB of heap, but this process has ${memoryMiB} MiB in all (${from}): it would be killed before V8 collects harder. ${set}`;
  if (from !== "system" && heapMiB < fitsMiB * 0.5)
    return `V8 stops at ${heapMiB} MiB of heap, although this process has ${memoryMiB} MiB in all (${from}). ${set}`;
  return undefined;
}

function systemSources(): ResourceSources {
  return {
    read(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return undefined;
      }
    },
    totalBytes: totalmem(),
    cores: availableParallelism(),
    heapLimitBytes: getHeapStatistics().heap_size_limit,
  };
}
