/** Floor 6: an app as a whole. Importable anywhere: what needs Node is loaded when `serve` or `work` is called. */
import type { Members } from "../contract/index.ts";
import type { App } from "./app.ts";
import type { RunOptions } from "./options.ts";
import type { ServeOptions, Server, Worker } from "./serve.ts";

export type { AccessLogOptions } from "./access-log.ts";
export { implement, type App } from "./app.ts";
export type { CrashPolicy } from "./crash.ts";
export type { ReadyCheck } from "./health.ts";
export type { MetricsServeOptions } from "./metrics/serve-metrics.ts";
export type { Log, LogEntry } from "./log.ts";
export { formatLimits } from "./format-limits.ts";
export type { RunLimits, RunOptions, ServeLimits } from "./options.ts";
export type { ServeOptions, Server, Worker } from "./serve.ts";
export type { Threads, ThreadsOptions } from "./threads/options.ts";
export type { ThreadStats } from "./threads/pool.ts";
export type { StopSignal } from "./signals.ts";
export type { TlsServeOptions } from "./tls.ts";

/**
 * Runs an app on one port with its workers, in this process.
 *
 * Rejects with an Error whose message says what to do when it cannot start: port in use, store owned by another process, …
 *
 * @example
 * const server = await serve(app, { port: 3000, store });
 * console.log(server.url);
 */
export async function serve<M extends Members>(app: App<M>, options: ServeOptions = {}): Promise<Server> {
  const { startServing } = await import("./threads/start.ts");
  return startServing(app, options);
}

/**
 * Runs an app's workers without a port: jobs and schedules alone.
 *
 * @example
 * const worker = await work(app, { store });
 * await worker.stopped;
 */
export async function work<M extends Members>(app: App<M>, options: RunOptions): Promise<Worker> {
  const { startWorking } = await import("./threads/start.ts");
  return startWorking(app, options);
}
