/**
 * The measured processes: started on a core of their own, asked over IPC, watched through /proc, and ended with the harness,
 * also on Ctrl-C.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Question, Reply, Usage } from "./child.ts";

export interface Measured {
  readonly pid: number;
  /** What the process announced. */
  readonly ready: unknown;
  /** Sends an order and waits for its answer; rejects when the process ends first. */
  order(order: unknown): Promise<unknown>;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Which of the cores that `cores()` names; absent: wherever the system likes. */
  readonly core?: number;
  readonly environment?: { readonly [name: string]: string };
  readonly nodeArguments?: readonly string[];
  /** What runs the file; absent: this Node. Empty: the file is a program itself. */
  readonly runtime?: readonly string[] | undefined;
  readonly arguments?: readonly string[];
}

/**
 * What all systems of the benchmarks of jobs are started with, as the guide advises where threads of one's own are busy: V8 has four helper threads unless told otherwise, also on
 * two cores; and a collection of garbage waits for those of them that the scheduler has set aside. 0: as many as there are processors to spare.
 */
export const fewHelpers: readonly string[] = ["--v8-pool-size=0"];

const running = new Set<ChildProcess>();

/** Starts a process and resolves when it has announced itself. */
export async function start(name: string, file: string, options: StartOptions = {}): Promise<Measured> {
  const runtime = options.runtime ?? [process.execPath, ...(options.nodeArguments ?? [])];
  const plain = [...runtime, file, ...(options.arguments ?? [])];
  const command = options.core !== undefined && pinning() ? ["taskset", "-c", String(options.core), ...plain] : plain;
  const [program, ...rest] = command as [string, ...string[]];
  const child = spawn(program, rest, {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: { ...process.env, NODE_ENV: "production", NODE_OPTIONS: "", ...options.environment },
  });
  running.add(child);
  let complaints = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaints = (complaints + text).slice(-4000)));

  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let asked = 0;
  const ready = Promise.withResolvers<unknown>();
  const ended = new Promise<void>((resolve) => {
    const end = (why: string): void => {
      running.delete(child);
      const error = new Error(`${name} ended ${why}.${complaints === "" ? "" : `\n${complaints}`}`);
      ready.reject(error);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
      resolve();
    };
    child.once("error", (error) => end(`before it ran: ${error.message}`));
    child.once("exit", (code, signal) => end(`with ${signal ?? `code ${code}`}`));
  });
  child.on("message", (message: { ready?: unknown } & Partial<Reply>) => {
    if (message.id === undefined) return ready.resolve(message.ready);
    const caller = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) caller?.resolve(message.value);
    else caller?.reject(new Error(`${name}: ${message.error}`));
  });
  const ask = (question: Omit<Question, "id">): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = ++asked;
    waiting.set(id, { resolve, reject });
    child.send({ ...question, id }, (error) => error !== null && waiting.delete(id) && reject(error));
    return promise;
  };
  const announced = await within(30_000, ready.promise, `${name} did not start within 30 s.`);
  const pid = child.pid as number;
  return {
    pid,
    ready: announced,
    order: (order) => ask({ ask: "order", order }),
    async usage() {
      return usageFromProc(pid) ?? ((await ask({ ask: "usage" })) as Usage);
    },
    async stop() {
      // A closed channel is the polite word: the process ends by itself. Who does not hear it is killed.
      if (child.connected) child.disconnect();
      const killer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(killer);
    },
  };
}

export interface ProcessorTime {
  readonly all: number;
  /** Taken by other guests of the machine that this one runs on. */
  readonly stolen: number;
}

/** Of all processors since the start, in the units of proc(5); undefined where the system does not say. */
export function processorTime(): ProcessorTime | undefined {
  const line = /^cpu +([\d ]+)$/m.exec(readProc("/proc/stat") ?? "")?.[1];
  // The eighth is steal; what follows is counted among the first ones as well.
  const times = (line ?? "").split(" ", 8).map(Number);
  const stolen = times[7];
  return stolen === undefined ? undefined : { all: times.reduce((sum, each) => sum + each, 0), stolen };
}

/** Ends whatever is still running. */
export function stopAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** The children do not outlive the harness, neither on Ctrl-C nor when it throws. */
export function endChildrenWithThisProcess(): void {
  process.once("exit", stopAll);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => process.exit(code));
  }
}

/** The cores that this process may use, in order; empty when the system does not say. */
export function cores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readProc("/proc/self/status") ?? "")?.[1];
  return (list ?? "").split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number);
    return from === undefined || to === undefined || range === ""
      ? []
      : Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

let canPin: boolean | undefined;

/** Whether processes can be held on a core each: two cores and the `taskset` program. */
export function pinning(): boolean {
  canPin ??=
    availableParallelism() > 1 &&
    cores().length > 1 &&
    spawnSync("taskset", ["--version"], { stdio: "ignore" }).status === 0;
  return canPin;
}

/** Where the figures of a process come from; goes into the result file. */
export function usageSource(): string {
  return usageFromProc(process.pid) === undefined
    ? "process.cpuUsage() asked over IPC"
    : "/proc/PID/stat, utime + stime";
}

let ticksPerSecond: number | undefined;

function usageFromProc(pid: number): Usage | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  const status = readProc(`/proc/${pid}/status`);
  if (stat === undefined || status === undefined) return undefined;
  ticksPerSecond ??= Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100;
  // The name in parentheses may hold anything, so the fields are counted from its end: utime is field 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const usPerTick = 1e6 / ticksPerSecond;
  const rssKb = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0);
  return {
    userUs: Number(fields[11]) * usPerTick,
    systemUs: Number(fields[12]) * usPerTick,
    rssBytes: rssKb * 1024,
  };
}

/** What the process sent to storage so far (log, checkpoints and all); undefined where the system does not say. */
export function bytesWritten(pid: number): number | undefined {
  const written = /^write_bytes: (\d+)$/m.exec(readProc(`/proc/${pid}/io`) ?? "")?.[1];
  return written === undefined ? undefined : Number(written);
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

async function within<T>(ms: number, promise: Promise<T>, message: string): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const handle = setTimeout(() => timer.reject(new Error(message)), ms);
  try {
    return await Promise.race([promise, timer.promise]);
  } finally {
    clearTimeout(handle);
  }
}
