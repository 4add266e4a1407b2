/**
 * The link to the writer thread: starts it, opens the store in it, and starts it again when it dies. Whoever waits for an answer
 * of a thread that died is told; nothing hangs.
 */
import { Worker } from "node:worker_threads";
import type { Clock } from "../core/index.ts";
import type { CrashedJobs, JobPolicy } from "../jobs/index.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { FromWriter, Notice, ToWriter, WriterOptions } from "./protocol.ts";

export interface Opened {
  readonly epoch: number;
  readonly waiting: number;
  readonly wakeAt: number;
  readonly crashed: readonly CrashedJobs[];
  /** The file is another process's. */
  readonly guest: boolean;
}

export interface LinkEvents {
  readonly onOpened: (opened: Opened) => void;
  readonly onRefused: (reason: string, programming: boolean) => void;
  readonly onMessage: (message: Extract<FromWriter, { kind: "committed" }>) => void;
  readonly onNotice: (notice: Notice) => void;
  /** The owner of the file, another process, is gone; `onOpened` follows. */
  readonly onLost: (reason: string) => void;
  readonly onClosed: () => void;
  readonly onDied: (reason: string) => void;
}

export interface Link {
  send(message: ToWriter, transfer: ArrayBuffer[]): void;
  /** Whether the thread keeps the process alive. */
  hold(alive: boolean): void;
  stop(): void;
}

/** What the link needs of a thread: a `Worker`, or what a simulation runs in its place. */
export interface WriterThread {
  on(event: "message", heard: (message: FromWriter) => void): unknown;
  on(event: "error" | "messageerror", heard: (error: unknown) => void): unknown;
  on(event: "exit", heard: (code: number) => void): unknown;
  postMessage(message: ToWriter, transfer?: ArrayBuffer[]): void;
  ref(): void;
  unref(): void;
  terminate(): unknown;
}

export type StartThread = (options: WriterOptions) => WriterThread;

export const startThread: StartThread = (options) =>
  new Worker(writerUrl(), {
    name: "tensile-sqlite",
    workerData: options,
    execArgv: threadArguments(process.versions.node),
    resourceLimits: { maxYoungGenerationSizeMb: limits.youngMB },
  });

export function startWriter(
  start: StartThread,
  options: Omit<WriterOptions, "now">,
  clock: Clock,
  maxAttempts: (name: string) => number,
  policy: (name: string) => JobPolicy | undefined,
  events: LinkEvents,
): Link {
  const worker = start({ ...options, now: clock.now() });
  let over = false;
  const died = (reason: string): void => {
    if (over) return;
    over = true;
    events.onDied(reason);
  };
  worker.on("message", (message: FromWriter) => {
    if (message.kind === "committed") events.onMessage(message);
    else if (message.kind === "opened") events.onOpened(message);
    else if (message.kind === "names") {
      worker.postMessage({
        kind: "recover",
        now: clock.now(),
        attempts: message.names.map(maxAttempts),
        policies: message.known.map(policy),
      } satisfies ToWriter);
    } else if (message.kind === "cancel" || message.kind === "ended" || message.kind === "tick") {
      events.onNotice(message);
    } else if (message.kind === "lost") {
      events.onLost(message.reason);
      worker.postMessage({ kind: "heard" } satisfies ToWriter);
    } else {
      over = true;
      if (message.kind === "closed") events.onClosed();
      else events.onRefused(message.reason, message.programming);
      void worker.terminate();
    }
  });
  worker.on("error", (error: unknown) => died(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  // Whose answer it was is lost with it. Without this its callers would wait for ever.
  worker.on("messageerror", (error: unknown) => {
    died(`a message of the writer thread cannot be read: ${String(error)}`);
    void worker.terminate();
  });
  worker.on("exit", (code) => died(`the writer thread ended with code ${code}`));
  return {
    send: (message, transfer) => worker.postMessage(message, transfer),
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    stop() {
      over = true;
      void worker.terminate();
    },
  };
}

/** The writer beside this file: as source in development, as JavaScript once built. */
function writerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./writer-thread.ts" : "./writer-thread.js", import.meta.url);
}

/**
 * None of the process's own options: they are about its main script, and some would not let a thread start. Node 24 and 25 still announce `node:sqlite`
 * as experimental: that is said in the documentation, not at every start; only this thread keeps quiet about it.
 */
function threadArguments(nodeVersion: string): string[] {
  return Number.parseInt(nodeVersion, 10) < 26 ? ["--disable-warning=ExperimentalWarning"] : [];
}
