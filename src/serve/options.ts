/** What `serve` and `work` can be told. Everything has a safe default. */
import type { StreamLimits } from "../contract/index.ts";
import type { Clock, Duration } from "../core/index.ts";
import type { EngineLimits, Http2Limits, OverloadLimits } from "../http/index.ts";
import type { Encryption, JobLimits, Retention, Store } from "../jobs/index.ts";
import type { Events } from "../telemetry/index.ts";
import type { CrashPolicy } from "./crash.ts";
import type { ReadyCheck } from "./health.ts";
import type { Log } from "./log.ts";
import type { MetricsServeOptions } from "./metrics/serve-metrics.ts";
import type { StopSignal } from "./signals.ts";

/** What may be said about limits where there are only jobs. */
export interface RunLimits {
  /** In place of the defaults of `jobLimits`: concurrency, payloads, queue lengths. */
  readonly jobs?: Partial<JobLimits>;
  /** In place of the defaults of `streamLimits`: open subscriptions, sizes, heartbeats. */
  readonly streams?: Partial<StreamLimits>;
}

/** Every bound of a server, by table. */
export interface ServeLimits extends RunLimits {
  /** In place of the defaults of `engineLimits`: connections, heads, bodies, timeouts. */
  readonly http?: Partial<EngineLimits>;
  /** In place of the defaults of `http2Limits`: streams, windows, what a client may waste. See docs/http.md. */
  readonly http2?: Partial<Http2Limits>;
  /** In place of the defaults of `overloadLimits`: when requests are refused. See docs/overload.md. */
  readonly overload?: Partial<OverloadLimits>;
}

export interface RunOptions {
  /** Where jobs live: `sqlite("app.db")`. Needed by `work`, and by `serve` when the contract has jobs. */
  readonly store?: Store;
  /**
   * Works the jobs of these queues alone, with their schedules; those of others are left to other processes on the same store. Default: all.
   */
  readonly queues?: readonly string[];
  /** How long running work may take to end by itself after a stop. Default 10 s. */
  readonly drain?: Duration;
  /** What drains the process. Default SIGINT and SIGTERM; `[]` leaves signals to you. A second signal ends the process at once. */
  readonly signals?: readonly StopSignal[];
  /** Receives what needs attention. Default: JSON lines on standard error. `false`: nothing is logged. */
  readonly log?: Log | false;
  /**
   * What an error that nobody caught does: a rejected promise that a handler let go of, a throw in a timer. Default `drain`: it is
   * logged with an incident id, the process drains and ends with exit code 1. `node` leaves it to Node, which ends the process
   * at once. Where others listen to `uncaughtException` or `unhandledRejection` too, it is logged, and the end is theirs to decide.
   */
  readonly crash?: CrashPolicy;
  /**
   * What `/readyz` asks, by name: `{ database: (signal) => db.ping(signal) }`. All must say yes within 2 s; the answer holds for 1 s.
   */
  readonly ready?: { readonly [name: string]: ReadyCheck };
  /** Whether `/readyz?verbose` names the checks and their verdicts. Default: false where `NODE_ENV` is `production`, else true. */
  readonly readyDetails?: boolean;
  /**
   * Metrics as Prometheus reads them. Of a server: on its own port, or on the one that is named. Of a worker, which has no port:
   * `{ port: 9464 }`. Default: false. In production say who may read a server's, see docs/telemetry.md.
   */
  readonly metrics?: boolean | MetricsServeOptions;
  /** In place of the defaults, by table. What is in force stands in `limits` of the running server or worker. */
  readonly limits?: RunLimits;
  /**
   * Bytes that the process may use, where it shares its container with others. Default: what the container's limits (cgroup v1 and
   * v2) or the machine allow. Limits that are not given are lowered to fit: see docs/overload.md.
   */
  readonly memory?: number;
  /** How long finished jobs are kept. */
  readonly retention?: Partial<Retention>;
  /**
   * Encrypts what the store keeps of jobs (payloads, results, notes, error data) with AES-256-GCM: `{ keys: { k1: process.env.JOB_KEY }, current: "k1" }`. To rotate, add
   * a key and make it `current`; the old one stays as long as jobs sealed with it are kept. Default: as plain JSON. See docs/jobs.md.
   */
  readonly encryption?: Encryption;
  /** Compresses (zstd) what is longer than `over` characters of JSON; `true`: 8,192. What is compressed can be read whatever this says. Default: false. */
  readonly compression?: boolean | { readonly over: number };
  /** Listen here for what happens inside. Default: a table of its own, reachable as `server.events`. */
  readonly events?: Events;
  /** Default: the system clock. A manual one makes time stand still, for tests. */
  readonly clock?: Clock;
}

/**
 * Finished jobs are kept so that somebody can look at them, and dropped so that the file does not grow for ever: whatever bound
 * is met first.
 */
export const defaultRetention: Retention = Object.freeze({
  succeeded: { ageMs: 3_600_000, count: 1_000_000 },
  failed: { ageMs: 14 * 86_400_000, count: 100_000 },
  cancelled: { ageMs: 86_400_000, count: 100_000 },
});
