/**
 * Two questions that an orchestrator asks. `/livez`: is the process able to answer at all? `/readyz`: shall it get traffic? The
 * second turns to 503 the moment a drain begins, before connections close, and while a check of the application's own fails.
 */
import { isPromiseLike, sleep, type Clock, type Lifecycle, type MaybePromise } from "../core/index.ts";
import { HeaderBlock, type ExtraRoute, type HttpResponse } from "../http/index.ts";
import type { Events } from "../telemetry/index.ts";

/**
 * Whether something that the application cannot do without is there. False, a throw, a rejection, and no answer in 2 s mean no.
 * `signal` aborts when the time is up.
 */
export type ReadyCheck = (signal: AbortSignal) => MaybePromise<boolean | void>;

export interface HealthOptions {
  readonly phase: () => Lifecycle["phase"];
  readonly clock: Clock;
  readonly events: Events;
  readonly checks: { readonly [name: string]: ReadyCheck };
  /** Whether `/readyz?verbose` says which check failed. */
  readonly details: boolean;
}

/** Checks are asked at most this often, however often the orchestrator asks. */
const freshMs = 1_000;
const checkMs = 2_000;

const headers = new HeaderBlock(["content-type", "application/json", "cache-control", "no-store"]);
const live: HttpResponse = { status: 200, headers, body: '{"status":"live"}' };
const ready: HttpResponse = { status: 200, headers, body: '{"status":"ready"}' };
const notReady: HttpResponse = {
  status: 503,
  headers: headers.with("retry-after", "1"),
  body: '{"status":"not ready"}',
};

type Verdict = "ok" | "failed" | "timed_out";

/** @throws TypeError for a check that is no function. */
export function healthRoutes(options: HealthOptions): readonly ExtraRoute[] {
  const { phase, details } = options;
  const checks = new Checks(options);
  const answer = (failed: readonly string[], verbose: boolean): HttpResponse => {
    const isReady = phase() === "ready" && failed.length === 0;
    const plain = isReady ? ready : notReady;
    if (!verbose || !details) return plain;
    const body = {
      status: isReady ? "ready" : "not ready",
      phase: phase(),
      checks: Object.fromEntries(checks.verdicts),
    };
    return { ...plain, body: JSON.stringify(body) };
  };
  return [
    { method: "GET", path: "/livez", handle: () => live, priority: "critical" },
    {
      method: "GET",
      path: "/readyz",
      priority: "critical",
      handle: ({ target }) => {
        const verbose = /\?(?:.*&)?verbose(?:[=&]|$)/.test(target);
        // Nothing is asked any more of what is about to close.
        if (checks.size === 0 || phase() !== "ready") return answer([], verbose);
        return checks.failed().then((failed) => answer(failed, verbose));
      },
    },
  ];
}

/** The application's checks: side by side, in bounded time, one round at a time. */
class Checks {
  readonly verdicts = new Map<string, Verdict>();
  readonly #options: HealthOptions;
  readonly #checks: readonly (readonly [string, ReadyCheck])[];
  #failed: readonly string[] = [];
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#checks = Object.entries(options.checks);
    for (const [name, check] of this.#checks) {
      if (typeof check !== "function")
        throw new TypeError(`serve(): ready.${name} is a function that says whether ${name} is there.`);
    }
  }

  get size(): number {
    return this.#checks.length;
  }

  /** The names of those that say no; never rejects. */
  async failed(): Promise<readonly string[]> {
    if (this.#options.clock.monotonic() - this.#askedAt >= freshMs) {
      this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
      await this.#asking;
    }
    return this.#failed;
  }

  async #ask(): Promise<void> {
    const verdicts = await Promise.all(
      this.#checks.map(async ([name, check]) => [name, await this.#one(check)] as const),
    );
    for (const [name, verdict] of verdicts) this.verdicts.set(name, verdict);
    const failed = verdicts.filter(([, verdict]) => verdict !== "ok").map(([name]) => name);
    if (failed.join() !== this.#failed.join())
      this.#options.events.emit("readiness", { ready: failed.length === 0, failed });
    this.#failed = failed;
    this.#askedAt = this.#options.clock.monotonic();
  }

  async #one(check: ReadyCheck): Promise<Verdict> {
    const late = new AbortController();
    const done = new AbortController();
    const tooLate = sleep(this.#options.clock, checkMs, done.signal).then(
      (): Verdict => {
        late.abort(new Error("The check did not answer in time."));
        return "timed_out";
      },
      (): Verdict => "failed",
    );
    const asked = async (): Promise<Verdict> => {
      try {
        const answer = check(late.signal);
        return (isPromiseLike(answer) ? await answer : answer) === false ? "failed" : "ok";
      } catch {
        return "failed";
      }
    };
    const verdict = await Promise.race([asked(), tooLate]);
    done.abort();
    return verdict;
  }
}
