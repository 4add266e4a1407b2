/**
 * The threads of a server, from the main thread's side. A thread that dies is replaced:
 *
 *   starting ──listening──▶ ready ──drain──▶ draining ──▶ ended
 *      │                      │
 *      └── failed ────────────┴── died ──▶ (waits, longer each time) ──▶ starting
 *
 * The start is all or nothing: a thread that fails then fails the server. After that the others go on, whatever happens to one.
 */
import type { Timer } from "../../core/index.ts";
import type { Events, MetricsSnapshot } from "../../telemetry/index.ts";
import { threadLimits } from "./options.ts";
import { PoolThread, type ThreadSetting, type ThreadState } from "./pool-thread.ts";
import type { Answer } from "./protocol.ts";
import { Restarts } from "./restarts.ts";
import { timeSlices, type TimeSlices } from "./time-slices.ts";

export interface ThreadStats {
  /** 1 to the number of threads: the place, which a successor takes over. */
  readonly thread: number;
  /** `waiting`: it has died and is soon replaced. */
  readonly state: ThreadState | "waiting";
  /** Milliseconds since it began. */
  readonly ageMs: number;
  /** Share of its time that its event loop was awake, 0 to 1. */
  readonly utilization: number;
  /** How often the thread of this place has been replaced. */
  readonly restarts: number;
}

export interface PoolOptions extends ThreadSetting {
  readonly events: Events;
  /** 0: any. */
  readonly port: number;
  readonly reusePort: boolean;
  /** No thread is left, and those that replace them die as well. */
  onLost(): void;
}

interface Place {
  thread: PoolThread;
  restarts: number;
  waiting: Timer | undefined;
}

export class ThreadPool {
  readonly #options: PoolOptions;
  readonly #restarts = new Restarts(threadLimits);
  readonly #places: Place[] = [];
  #address: { readonly host: string; readonly port: number } | undefined;
  #stopping = false;
  #slices: TimeSlices | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Once started. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#address;
  }

  /** Rejects with the first failure, after having ended all. */
  async start(): Promise<void> {
    const { threads, port, reusePort } = this.#options;
    for (let index = 1; index <= threads.count; index++) {
      this.#places.push({ thread: new PoolThread(index, this.#options), restarts: 0, waiting: undefined });
    }
    try {
      const [first, ...others] = this.#places.map(({ thread }) => thread);
      // The first finds the port where any will do.
      const address = await (first as PoolThread).listen(port, reusePort);
      await Promise.all(others.map((thread) => thread.listen(address.port, reusePort)));
      this.#address = address;
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#findSlices();
    for (const place of this.#places) {
      this.#watch(place);
      this.#isReady(place.thread);
    }
  }

  /** Resolves when every thread has drained. `signal`: the time is up, cut what still runs. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    const cut = (): void => {
      for (const { thread } of this.#places) if (thread.state === "draining") thread.tell({ kind: "cut" });
    };
    const draining = this.#places.flatMap(({ thread, waiting }) => {
      waiting?.cancel();
      if (thread.state === "ready") {
        thread.drain();
        return [thread.stopped];
      }
      return [];
    });
    // One that only just starts has nothing to lose.
    for (const { thread } of this.#places) if (thread.state === "starting") void thread.terminate();
    if (signal.aborted) cut();
    signal.addEventListener("abort", cut, { once: true });
    const failures = (await Promise.all(draining)).flat();
    signal.removeEventListener("abort", cut);
    if (failures.length > 0) throw new Error(failures.join("; "));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const { waiting } of this.#places) waiting?.cancel();
    await Promise.all(this.#places.map(({ thread }) => thread.terminate()));
  }

  async snapshots(besides?: number): Promise<readonly MetricsSnapshot[]> {
    const asked = this.#places.filter(({ thread }) => thread.index !== besides);
    const all = await Promise.all(asked.map(({ thread }) => thread.snapshot()));
    return all.filter((snapshot) => snapshot !== undefined);
  }

  /** Every thread reads its certificate again. The first refusal, where there is one. */
  async reloadTls(): Promise<Answer | undefined> {
    const answers = await Promise.all(this.#places.map(({ thread }) => thread.reloadTls()));
    return answers.find((answer) => answer !== undefined && !("value" in answer)) ?? answers.find(Boolean);
  }

  stats(): readonly ThreadStats[] {
    const now = this.#options.clock.monotonic();
    return this.#places.map(({ thread, restarts, waiting }) => ({
      thread: thread.index,
      state: waiting === undefined ? thread.state : "waiting",
      ageMs: Math.round(now - thread.began),
      utilization: thread.utilization(),
      restarts,
    }));
  }

  #findSlices(): void {
    if (this.#options.threads.sliceMs === undefined) return;
    const found = timeSlices();
    if (typeof found === "string") this.#isUnsliced(1, found);
    else this.#slices = found;
  }

  #slice({ index, systemThread }: PoolThread): void {
    const { sliceMs } = this.#options.threads;
    if (this.#slices === undefined || sliceMs === undefined) return;
    if (systemThread === undefined) this.#isUnsliced(index, "its number is not to be had: is /proc mounted?");
    else if (!this.#slices.set(systemThread, sliceMs))
      this.#isUnsliced(index, `the system does not give it a slice of ${sliceMs} ms`);
  }

  #isUnsliced(thread: number, reason: string): void {
    this.#options.events.emit("thread", { thread, state: "unsliced", reason });
  }

  #isReady(thread: PoolThread): void {
    this.#slice(thread);
    thread.tell({ kind: "phase", ready: true });
    this.#options.events.emit("thread", { thread: thread.index, state: "ready" });
  }

  #watch(place: Place): void {
    void place.thread.ended.then((reason) => this.#died(place, reason));
  }

  #died(place: Place, reason: string): void {
    if (this.#stopping) return;
    const { clock, events } = this.#options;
    const { index, began } = place.thread;
    const now = clock.monotonic();
    const restartInMs = this.#restarts.died(index, began, now);
    const answering = this.#places.some(({ thread }) => thread.state === "ready");
    if (!answering && this.#restarts.isLost(now)) {
      events.emit("thread", { thread: index, state: "lost", reason });
      this.#options.onLost();
      return;
    }
    events.emit("thread", { thread: index, state: "died", reason, restartInMs });
    place.waiting = clock.setTimer(restartInMs, () => this.#replace(place), true);
  }

  #replace(place: Place): void {
    place.waiting = undefined;
    place.restarts++;
    const thread = new PoolThread(place.thread.index, this.#options);
    place.thread = thread;
    this.#watch(place);
    thread.listen(this.#address?.port ?? 0, this.#options.reusePort).then(
      () => this.#isReady(thread),
      // It ends, and then this is a death like others.
      () => undefined,
    );
  }
}
