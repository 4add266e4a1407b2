/** `serve` in a thread of a server: the same server, on the port that the main thread names, with the main thread's store. */
import type { Members } from "../../contract/index.ts";
import { durationMs, systemClock } from "../../core/index.ts";
import type { App } from "../app.ts";
import type { Log } from "../log.ts";
import { stderrLog } from "../log.ts";
import { startServer, type ServeOptions, type Server } from "../serve.ts";
import { MainLink, type Orders } from "./main-link.ts";
import { toAnswer, type Membership, type ThreadShare } from "./protocol.ts";
import { remoteStore } from "./remote-session.ts";
import { systemThread } from "./time-slices.ts";

let joined = false;

/** Never settles: what the program does after `serve` is done once, in the main thread. */
export function serveInThread<M extends Members>(
  app: App<M>,
  options: ServeOptions,
  membership: Membership,
): Promise<never> {
  void new Member(app, options, membership).start();
  return new Promise<never>(() => undefined);
}

/** For what cannot be there in a thread: tells the main thread, which fails the start with this sentence. */
export function refuseInThread({ port }: Membership, message: string): Promise<never> {
  port.postMessage({ kind: "failed", message, programming: true, reason: undefined });
  return new Promise<never>(() => undefined);
}

class Member implements Orders {
  readonly #app: App;
  readonly #options: ServeOptions;
  readonly #link: MainLink;
  readonly #cut = new AbortController();
  readonly #listen = Promise.withResolvers<{ readonly port: number; readonly reusePort: boolean }>();
  #server: Server | undefined;
  /** Whether the main thread has told it to drain. */
  #ordered = false;

  constructor(app: App, options: ServeOptions, membership: Membership) {
    this.#app = app;
    this.#options = options;
    this.#link = new MainLink(membership, this);
  }

  async start(): Promise<void> {
    const link = this.#link;
    const { index, share } = link.membership;
    try {
      if (joined) throw new TypeError("serve({ threads }) was called twice. A process has one server with threads.");
      joined = true;
      const options = threadOptions(this.#options, link, share, index);
      this.#server = await startServer(this.#app, options, {
        workers: false,
        cut: this.#cut.signal,
        isReady: () => link.isServerReady,
        metricsElsewhere: true,
        listenOn: () => {
          link.tell({ kind: "booted", systemThread: systemThread() });
          return this.#listen.promise;
        },
      });
      this.#watchCrashes(this.#server);
      const { host = "127.0.0.1" } = this.#options;
      link.tell({ kind: "listening", host, port: this.#server.port });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      link.tell({ kind: "failed", message, programming: error instanceof TypeError, reason: undefined });
    }
  }

  listen(port: number, reusePort: boolean): void {
    this.#listen.resolve({ port, reusePort });
  }

  drain(): void {
    this.#ordered = true;
    void this.#server?.stop().then(({ failures }) => {
      const texts = failures.map(({ part, during, cause }) => `${part} (${during}): ${String(cause)}`);
      this.#link.tell({ kind: "stopped", failures: texts });
    });
  }

  /** An error that nobody caught drains this thread alone, in its own time; then it ends, and is replaced. */
  #watchCrashes({ events }: Server): void {
    const { clock = systemClock, drain = "10s" } = this.#options;
    events.on("lifecycle", ({ phase }) => {
      if (phase === "draining" && !this.#ordered) clock.setTimer(durationMs(drain), () => this.#cut.abort());
    });
  }

  cut(): void {
    this.#cut.abort();
  }

  reload(id: number): void {
    const reloaded = this.#server?.reloadTls() ?? Promise.reject(new TypeError("The thread is still starting."));
    void reloaded
      .then(toAnswer, (error: unknown) => ({ thrown: String(error) }))
      .then((answer) => {
        this.#link.tell({ kind: "reloaded", id, answer });
      });
  }

  snapshot(id: number): void {
    const measured = this.#server?.metrics?.snapshot();
    void Promise.resolve(measured).then((snapshot) => this.#link.tell({ kind: "snapshot", id, snapshot }));
  }
}

/** The main thread's watch counts, and signals go there. */
const longestDrain = "1d";

function threadOptions(options: ServeOptions, link: MainLink, share: ThreadShare, index: number): ServeOptions {
  const { store, log, metrics, limits } = options;
  return {
    ...options,
    signals: [],
    drain: longestDrain,
    limits: {
      ...limits,
      http: { ...limits?.http, ...share.http },
      overload: { ...limits?.overload, ...share.overload },
      streams: { ...limits?.streams, ...share.streams },
    },
    ...(store !== undefined && { store: remoteStore(store, link) }),
    ...(log !== false && { log: numbered(log ?? stderrLog(), index) }),
    ...(metrics !== undefined &&
      metrics !== false && {
        metrics: {
          ...(metrics === true ? {} : metrics),
          view: async (own) => [own, ...((await link.ask("snapshots")) as (typeof own)[])],
        },
      }),
  };
}

function numbered(log: Log, thread: number): Log {
  return (entry) => log({ ...entry, thread });
}
