/**
 * Work without jobs: a main thread that is never idle and looks at its sockets every quarter of a millisecond, and a second thread that is as busy as the one
 * that commits. What the API costs beside them, this machine, its scheduler and the generator cost; a process that runs jobs flat out can hardly do better.
 */
import { Worker } from "node:worker_threads";

const turnMs = 0.25;

export async function takeTurns(ms: number): Promise<void> {
  const second = new Worker(new URL("turns-thread.ts", import.meta.url));
  const end = performance.now() + ms;
  try {
    await new Promise<void>((resolve, reject) => {
      second.once("error", reject);
      const turn = (): void => {
        const until = performance.now() + turnMs;
        while (performance.now() < until);
        if (until < end) setImmediate(turn);
        else resolve();
      };
      turn();
    });
  } finally {
    await second.terminate();
  }
}
