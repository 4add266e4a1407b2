/** One thread of a server, from the main thread's side: its life, and what is said to it. */
import { MessageChannel, Worker, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Clock } from "../../core/index.ts";
import type { MetricsSnapshot } from "../../telemetry/index.ts";
import { ThreadCalls, type MainServices } from "./calls.ts";
import { threadLimits, type ResolvedThreads } from "./options.ts";
import {
  membershipKey,
  type Answer,
  type Membership,
  type ThreadShare,
  type ToMain,
  type ToThread,
} from "./protocol.ts";

export type ThreadState = "starting" | "ready" | "draining" | "ended";

export interface ThreadSetting {
  readonly threads: ResolvedThreads;
  readonly share: ThreadShare;
  readonly services: MainServices;
  readonly clock: Clock;
}

export class PoolThread {
  readonly index: number;
  readonly began: number;
  state: ThreadState = "starting";
  /** The system's number of it, once it has booted; undefined where that cannot be known. */
  systemThread: number | undefined;
  /** Resolves when its program has called `serve`; rejects when it cannot. */
  readonly booted: Promise<void>;
  /** Resolves with the reason when it has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /** Resolves with what went wrong when everything in it has drained, or when it has ended. */
  readonly stopped: Promise<readonly string[]>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #calls: ThreadCalls;
  readonly #clock: Clock;
  readonly #reloads = new Map<number, (answer: Answer) => void>();
  readonly #snapshots = new Map<number, (snapshot: MetricsSnapshot | undefined) => void>();
  readonly #boot = Promise.withResolvers<void>();
  readonly #listening = Promise.withResolvers<{ readonly host: string; readonly port: number }>();
  readonly #end = Promise.withResolvers<string>();
  readonly #stop = Promise.withResolvers<readonly string[]>();
  #asked = 0;
  #reason: string | undefined;

  constructor(index: number, { threads, share, services, clock }: ThreadSetting) {
    const { port1, port2 } = new MessageChannel();
    this.index = index;
    this.began = clock.monotonic();
    this.#clock = clock;
    this.#port = port1;
    this.#calls = new ThreadCalls(services, index, (id, answer) => this.tell({ kind: "answer", id, answer }));
    this.booted = this.#boot.promise;
    this.ended = this.#end.promise;
    this.stopped = this.#stop.promise;
    // Whoever starts it looks at one of them after the other.
    this.#boot.promise.catch(() => undefined);
    this.#listening.promise.catch(() => undefined);
    port1.on("message", (message: ToMain) => this.#heard(message));
    const membership: Membership = { index, count: threads.count, port: port2, share };
    this.#worker = new Worker(threads.entry, {
      name: `tensile-http-${index}`,
      argv: process.argv.slice(2),
      workerData: { [membershipKey]: membership },
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: threads.heapMB },
    });
    this.#worker.on("error", (error: unknown) => this.#failed(error));
    this.#worker.on("exit", (code) => this.#exited(code));
    const late = clock.setTimer(threadLimits.startMs, () => this.#failed(new Error(neverServed(threads.entry))));
    void this.#boot.promise.then(
      () => late.cancel(),
      () => late.cancel(),
    );
  }

  /** Opens the port there. Rejects when it cannot. */
  async listen(port: number, reusePort: boolean): Promise<{ readonly host: string; readonly port: number }> {
    await this.booted;
    this.tell({ kind: "listen", port, reusePort });
    const address = await this.#listening.promise;
    this.state = "ready";
    return address;
  }

  tell(message: ToThread): void {
    this.#port.postMessage(message);
  }

  drain(): void {
    this.state = "draining";
    this.tell({ kind: "drain" });
  }

  async terminate(): Promise<void> {
    this.state = "ended";
    await this.#worker.terminate();
  }

  /** Undefined where it measures nothing, or does not answer in time: a blocked event loop must not hide the others. */
  snapshot(): Promise<MetricsSnapshot | undefined> {
    if (this.state !== "ready" && this.state !== "draining") return Promise.resolve(undefined);
    const id = this.#asked++;
    return new Promise((resolve) => {
      const done = (snapshot: MetricsSnapshot | undefined): void => {
        this.#snapshots.delete(id);
        timer.cancel();
        resolve(snapshot);
      };
      const timer = this.#clock.setTimer(threadLimits.snapshotMs, () => done(undefined));
      this.#snapshots.set(id, done);
      this.tell({ kind: "snapshot", id });
    });
  }

  /** Reads its certificate again. Undefined where it does not answer: its successor reads the new one. */
  reloadTls(): Promise<Answer | undefined> {
    if (this.state !== "ready") return Promise.resolve(undefined);
    const id = this.#asked++;
    return new Promise((resolve) => {
      this.#reloads.set(id, resolve);
      void this.ended.then(() => resolve(undefined));
      this.tell({ kind: "reload", id });
    });
  }

  /** Of its event loop since it began: 0 asleep, 1 busy all the time. */
  utilization(): number {
    return this.state === "ended" ? 0 : this.#worker.performance.eventLoopUtilization().utilization;
  }

  #heard(message: ToMain): void {
    switch (message.kind) {
      case "booted":
        this.systemThread = message.systemThread;
        return this.#boot.resolve();
      case "listening":
        return this.#listening.resolve(message);
      case "failed":
        return this.#failed(message.programming ? new TypeError(message.message) : new Error(message.message));
      case "call":
        return void this.#calls.answer(message);
      case "abort":
        return this.#calls.abort(message.id);
      case "snapshot":
        return this.#snapshots.get(message.id)?.(message.snapshot);
      case "reloaded": {
        this.#reloads.get(message.id)?.(message.answer);
        this.#reloads.delete(message.id);
        return;
      }
      case "stopped":
        return this.#stop.resolve(message.failures);
    }
  }

  /** It cannot go on. */
  #failed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#reason ??= codeOf(error) === "ERR_WORKER_OUT_OF_MEMORY" ? "its heap was full (threads.heapMB)" : text;
    this.#boot.reject(error);
    this.#listening.reject(error);
    void this.#worker.terminate();
  }

  #exited(code: number): void {
    // The end of a thread may be told before what it said last.
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
      this.#heard(last.message as ToMain);
    this.state = "ended";
    this.#calls.end();
    this.#port.close();
    const reason = this.#reason ?? `it ended by itself with code ${code}`;
    const early = new Error(`The program ended with code ${code} in a thread before it called serve() there.`);
    this.#boot.reject(early);
    this.#listening.reject(early);
    for (const done of this.#snapshots.values()) done(undefined);
    this.#stop.resolve([`thread ${this.index} ended before it had drained: ${reason}`]);
    this.#end.resolve(reason);
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function neverServed(entry: string | URL): string {
  return `The threads ran ${String(entry)} again, and it did not call serve() within ${threadLimits.startMs / 1000} s. serve({ threads }) must be reached in every thread; if another module calls it, name that: { threads: { entry: import.meta.url } }.`;
}
