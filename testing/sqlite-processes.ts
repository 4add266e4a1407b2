/** Processes on one shared SQLite file, and a store in each as the test sees it: its verbs are done there. Processes are used again by the next test. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { after } from "node:test";
import { Fault, err, ok, sleep, systemClock, type ManualClock, type Result } from "../src/core/index.ts";
import type { ClaimedJob, ConsumeOptions, Consumer, StoreFault, StoreSession } from "../src/jobs/index.ts";
import type { News, OpenOrder, Order } from "./sqlite-shared-child.ts";

const program = fileURLToPath(new URL("./sqlite-shared-child.ts", import.meta.url));
const idle: SharedProcess[] = [];

after(() => {
  for (const process of idle) process.end();
});

type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

export class SharedProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #calls = 0;
  #consumer: ConsumeOptions | undefined;
  #owedMs = 0;
  /** What it has told, besides answers. */
  readonly news: News[] = [];
  frozen = false;
  dead = false;

  private constructor() {
    this.#child = fork(program, {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (news: News) => this.#hear(news));
    this.#child.on("exit", () => {
      this.dead = true;
      for (const resolve of this.#waiting.values())
        resolve({ fault: { code: "STORE_UNAVAILABLE", message: "killed" } });
      this.#waiting.clear();
    });
  }

  static take(): SharedProcess {
    return idle.pop() ?? new SharedProcess();
  }

  /** For the next test. What it had open is closed. */
  async giveBack(): Promise<void> {
    if (this.frozen) await this.thaw();
    if (this.dead) return;
    void (await this.call("close"));
    this.#consumer = undefined;
    this.#owedMs = 0;
    this.news.length = 0;
    idle.push(this);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  ask(order: Unnumbered<Order>): Promise<unknown> {
    if (this.dead) return Promise.resolve({ fault: { code: "STORE_UNAVAILABLE", message: "killed" } });
    const id = this.#calls++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ ...order, id });
    });
  }

  async open(order: OpenOrder): Promise<Result<StoreSession, StoreFault>> {
    const opened = toResult(await this.ask({ kind: "open", order }));
    return opened.ok ? ok(this.session) : (opened as Result<never, StoreFault>);
  }

  async call(verb: keyof StoreSession, ...args: readonly unknown[]): Promise<Result<unknown, Fault>> {
    return toResult(await this.ask({ kind: "call", verb, args }));
  }

  /** The session that is open there. */
  get session(): StoreSession {
    const own: StoreSession = new Proxy({} as StoreSession, {
      get: (_, verb: keyof StoreSession | "then") => {
        if (verb === "then") return undefined;
        if (verb === "consume") return (options: ConsumeOptions) => this.#consume(options);
        if (verb === "close") return () => this.giveBack();
        return (...args: readonly unknown[]) => this.call(verb, ...args);
      },
    });
    return own;
  }

  #consume(options: ConsumeOptions): Consumer {
    this.#consumer = options;
    void this.ask({ kind: "consume", names: options.names });
    return {
      grant: (name, credit) => {
        if (!this.dead) this.#child.send({ kind: "grant", name, credit } satisfies Order);
      },
      stop: async () => void (await this.ask({ kind: "stop" })),
    };
  }

  #hear(news: News): void {
    if (news.kind === "answer") {
      this.#waiting.get(news.id)?.(news.answer);
      this.#waiting.delete(news.id);
      return;
    }
    this.news.push(news);
    const consumer = this.#consumer;
    if (news.kind === "claimed") consumer?.onClaimed(news.what as readonly ClaimedJob[]);
    else if (news.kind === "cancel") consumer?.onCancelRequested(news.what as string);
    else if (news.kind === "lost") consumer?.onLost?.(news.what as readonly string[]);
  }

  /** Until it has told something of this kind for which `holds`. */
  async until(kind: News["kind"], holds: (all: readonly News[]) => boolean = (all) => all.length > 0): Promise<void> {
    while (!holds(this.news.filter((one) => one.kind === kind))) await once(this.#child, "message");
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  freeze(): void {
    this.frozen = true;
    this.#child.kill("SIGSTOP");
  }

  /** It goes on, has the time of the others, and has found out whether it is still among them. */
  async thaw(): Promise<void> {
    this.frozen = false;
    this.#child.kill("SIGCONT");
    await this.advance(0);
    await this.available();
  }

  async available(): Promise<void> {
    while (!(await this.call("counts")).ok) await sleep(systemClock, 10);
  }

  async advance(ms: number): Promise<void> {
    this.#owedMs += ms;
    if (this.frozen || this.dead || this.#owedMs === 0) return;
    const owed = this.#owedMs;
    this.#owedMs = 0;
    await this.ask({ kind: "advance", ms: owed });
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

function toResult(answer: unknown): Result<unknown, Fault> {
  const { value, fault } = (answer ?? {}) as { value?: unknown; fault?: { code: string; message: string } };
  if (fault === undefined) return ok(value);
  return err(new Fault(fault.code, "unavailable", { reason: fault.message }, fault.message));
}

/** From now on the processes' clocks move with this one, before its own timers see the new time. */
export function follow(clock: ManualClock, processes: () => Iterable<SharedProcess>): void {
  const advance = clock.advance.bind(clock);
  clock.advance = async (ms) => {
    await Promise.all([...processes()].map((process) => process.advance(ms)));
    await advance(ms);
  };
}
