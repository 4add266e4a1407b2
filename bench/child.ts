/**
 * What every measured process shares: it tells the harness where it listens, answers for its own use of CPU and memory where
 * the system has no /proc, and ends with the harness, however that ended. Plain Node, so that the peers can use it too.
 */
import { performance } from "node:perf_hooks";

/** What a measured process says about itself when asked. */
export interface Usage {
  /** Of all threads so far: in the program, and in the kernel on its behalf. */
  readonly userUs: number;
  readonly systemUs: number;
  readonly rssBytes: number;
}

export type Question = { readonly ask: "usage" | "order"; readonly id: number; readonly order?: unknown };
export type Reply = { readonly id: number; readonly value?: unknown; readonly error?: string };

/**
 * Announces the process. `ready` goes to the harness as it is; `orders` answers what the harness asks later.
 */
export function announce(ready: unknown, orders?: (order: unknown) => Promise<unknown>): void {
  if (process.send === undefined) {
    console.log(`ready: ${JSON.stringify(ready)} (started by hand; Ctrl-C ends it)`);
    return;
  }
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message: Question) => {
    void answer(message, orders).then((reply) => process.send?.(reply));
  });
  process.send({ ready });
}

async function answer(question: Question, orders?: (order: unknown) => Promise<unknown>): Promise<Reply> {
  const { id } = question;
  if (question.ask === "usage") return { id, value: usage() };
  try {
    if (orders === undefined) return { id, error: "This process takes no orders." };
    return { id, value: await orders(question.order) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { userUs: user, systemUs: system, rssBytes: process.memoryUsage.rss() };
}

/** Microseconds on a clock that only goes forward. */
export function nowUs(): number {
  return performance.now() * 1000;
}
