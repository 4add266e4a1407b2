/** What was granted to a job that has nothing to do is room for those that have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ok, manualClock } from "../core/index.ts";
import { Events } from "../telemetry/index.ts";
import { settled } from "../../testing/job-bench.ts";
import type { AttemptRunner } from "./attempt-runner.ts";
import type { Attempt } from "./attempt.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Lane } from "./lane.ts";
import { withJobLimits } from "./limits.ts";
import { Settler, type SettlerOptions } from "./settler.ts";
import type { ClaimedJob, Settlement } from "./store.ts";

test("a job that was busy before another does not keep the other from being claimed ahead", async () => {
  const clock = manualClock();
  const events = new Events();
  const limits = withJobLimits({ concurrency: 10, prefetchJobs: 200 });
  // A runner is made of a whole contract; what it runs is nothing here.
  const runner = {
    tools: {},
    run: ({ job }: Attempt): Settlement => ({ job, to: "succeeded" }),
  } as unknown as AttemptRunner;
  const lanes = ["a", "b"].map(
    (name) => new Lane({ name, runner, maxAttempts: 5, concurrency: 10, prefetchMs: 20, prefetchJobs: 200 }),
  );
  const session: SettlerOptions["session"] = {
    settle: async (all) => new Ok(all.map(() => "settled" as const)),
    cancel: async () => new Ok(undefined),
  };
  const settler = new Settler({ session, clock, events, limits, onSettled: () => dispatcher.resume() });
  const drain = { began: false, over: false };
  const dispatcher: Dispatcher = new Dispatcher({ lanes, settler, clock, events, limits, drain });
  const credit = new Map([
    ["a", 0],
    ["b", 0],
  ]);
  const creditOf = (name: string): number => credit.get(name) ?? 0;
  dispatcher.start({
    grant: (name, more) => void credit.set(name, creditOf(name) + more),
    stop: async () => undefined,
  });
  let id = 0;
  /** For so many milliseconds there is more of this job than can be claimed. The most that came at once. */
  const busy = async (name: string, ms: number): Promise<number> => {
    let most = 0;
    for (let now = 0; now < ms; now++) {
      await settled(8);
      const count = creditOf(name);
      most = Math.max(most, count);
      assert.ok(creditOf("a") >= 0 && creditOf("a") + creditOf("b") <= 211, "no more than there is room for");
      credit.set(name, 0);
      const fence = { epoch: 1, claim: now };
      dispatcher.claimed(
        Array.from({ length: count }, (): ClaimedJob => {
          return { id: String(++id), name, priority: 5, payload: "{}", attempt: 1, enqueuedAt: 0, fence };
        }),
      );
      await clock.advance(1);
    }
    return most;
  };
  assert.ok((await busy("a", 80)) > 190);
  await settled(8);
  const held = creditOf("a");
  assert.ok(held > 190);
  assert.ok((await busy("b", 80)) <= 211 - held, "it may go on in a moment");
  assert.ok((await busy("b", 80)) > 190);
  assert.ok(creditOf("a") >= 1 && creditOf("a") <= 10);
  assert.ok((await busy("a", 160)) > 190);
});
