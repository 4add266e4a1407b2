/**
 * The time slices of threads, asked of Linux: how long a thread runs before one that waits for its processor may have it. A thread that wakes does not wait for the end
 * of a slice that is longer than its own (EEVDF, Linux 6.12: sched_setattr(2) and PREEMPT_SHORT in kernel/sched/features.h). Nobody's share of the processor changes by it.
 *
 * Node has no call for this. `node:ffi` (26.1, experimental) calls syscall(2) of the C library that Node itself runs on.
 */
import { readlinkSync } from "node:fs";

export interface TimeSlices {
  /** Milliseconds, 0.1 to 100. `thread`: the system's number of a thread of this process. False: it kept the slice that it had. */
  set(thread: number, ms: number): boolean;
}

/** System calls by the processor's name: sched_setattr and sched_getattr. */
const calls: { readonly [arch: string]: readonly [set: bigint, get: bigint] } = {
  x64: [314n, 315n],
  arm64: [274n, 275n],
};

/** Of `struct sched_attr`, linux/sched/types.h: its first version, and where it has the policy and the slice. */
const attributeBytes = 48;
const policyAt = 4;
const sliceAt = 24;
/** SCHED_OTHER and SCHED_BATCH: those who share a processor by slices. */
const sharing = [0, 3];

/** The way to set them, or why this system has none: a sentence for a log. */
export function timeSlices(): TimeSlices | string {
  const numbers = calls[process.arch];
  if (process.platform !== "linux" || numbers === undefined)
    return "only Linux on x64 and arm64 is asked for time slices";
  const [set, get] = numbers;
  const call = systemCall();
  if (typeof call === "string") return call;
  const read = (thread: number): Buffer | undefined => {
    const attributes = Buffer.alloc(attributeBytes);
    return call(get, BigInt(thread), attributes, BigInt(attributeBytes), 0n) === 0n ? attributes : undefined;
  };
  const own = read(0);
  if (own === undefined) return "the system refuses to tell how a thread is scheduled: sched_getattr(2)";
  if (!sharing.includes(own.readUInt32LE(policyAt))) return "this process has a scheduling policy without time slices";
  if (own.readBigUInt64LE(sliceAt) === 0n) return "threads have time slices of their own since Linux 6.12";
  return {
    set(thread, ms) {
      const attributes = read(thread);
      if (attributes === undefined) return false;
      const slice = BigInt(Math.round(ms * 1e6));
      attributes.writeBigUInt64LE(slice, sliceAt);
      return call(set, BigInt(thread), attributes, 0n, 0n) === 0n && read(thread)?.readBigUInt64LE(sliceAt) === slice;
    },
  };
}

/** The system's number of the calling thread; undefined where it cannot be known. */
export function systemThread(): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const [number] = /\d+$/.exec(readlinkSync("/proc/thread-self")) ?? [];
    return number === undefined ? undefined : Number(number);
  } catch {
    return undefined;
  }
}

type SystemCall = (number: bigint, thread: bigint, attributes: Buffer, size: bigint, flags: bigint) => bigint;

function systemCall(): SystemCall | string {
  try {
    const ffi = process.getBuiltinModule("node:ffi");
    if (ffi === undefined) return "Node 26.1 or later is needed to ask for time slices";
    // Of the process itself: nothing is loaded from a file.
    const library = new ffi.DynamicLibrary(null);
    return library.getFunction("syscall", {
      return: "int64",
      arguments: ["int64", "int64", "buffer", "int64", "int64"],
    });
  } catch (error) {
    return `the C library cannot be called: ${error instanceof Error ? error.message : String(error)}`;
  }
}
