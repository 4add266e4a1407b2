/**
 * What nobody caught: a promise that a handler let go of and that rejected, a throw in a timer. Node would end the process at once,
 * and with it every request under way. Here the incident is logged, the process drains, and ends with exit code 1, because what
 * such a program knows is no longer to be trusted.
 */
import type { BoundApp } from "../contract/index.ts";

/** `drain`: log, drain, exit with code 1. `node`: as if Tensile were not there. */
export type CrashPolicy = "drain" | "node";

interface Crashing {
  readonly defect: BoundApp["defect"];
  readonly stop: () => Promise<unknown>;
}

/** Every server and worker of this process: one crash is all of theirs. */
const running = new Set<Crashing>();
let asked = false;
/** Errors that nobody caught while the process drains: more than these are not told of. A log that throws itself would otherwise be all that it does. */
const toldWhileDraining = 100;
let told = 0;

const listeners = {
  uncaughtException: (error: unknown): void => crashed("uncaughtException", error),
  unhandledRejection: (reason: unknown): void => crashed("unhandledRejection", reason),
} as const;

type CrashEvent = keyof typeof listeners;

/** Listens while the app runs. Returns the function that ends it. */
export function onCrash(policy: CrashPolicy, app: Crashing): () => void {
  if (policy === "node") return () => undefined;
  if (running.size === 0) {
    process.on("uncaughtException", listeners.uncaughtException);
    process.on("unhandledRejection", listeners.unhandledRejection);
  }
  running.add(app);
  return () => {
    if (!running.delete(app) || running.size > 0 || asked) return;
    process.off("uncaughtException", listeners.uncaughtException);
    process.off("unhandledRejection", listeners.unhandledRejection);
  };
}

function crashed(event: CrashEvent, error: unknown): void {
  const [first] = running;
  if (!asked || told++ < toldWhileDraining) first?.defect(event, error);
  // Somebody else has a say in it: a test runner, the program itself.
  if (process.listenerCount(event) > 1 || asked) return;
  asked = true;
  process.exitCode = 1;
  // `stop` never rejects, and is bounded by the drain's time.
  void Promise.all(Array.from(running, (app) => app.stop())).then(() => process.exit(1));
}
