/**
 * A worker in a process of its own for `postgres-blocked.test.ts`: `node postgres-blocked-child.ts ADDRESS LEASE_MS BLOCK_MS`. One of its handlers holds up the event
 * loop, while the other waits beside it.
 */
import { writeSync } from "node:fs";
import { contract, fixed, implementContract, job } from "../src/contract/index.ts";
import { systemClock } from "../src/core/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { t } from "../src/schema/index.ts";
import { workerOn } from "./worker-place.ts";

const output = { process: t.int() };
const retry = { attempts: 3, backoff: fixed("1ms") };
/** One rests in a block, the other in a row. */
export const blockedContract = contract("blocked.v1", {
  blocks: job("blocks", { input: {}, output, retry }),
  beside: job("beside", {
    input: { key: t.string() },
    output,
    retry,
    key: ({ key }) => key,
    perKey: { concurrency: 1 },
  }),
});

/** `say` is told each begin. */
export function blockedHandlers(say: (line: string) => void, blockMs: number) {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  return implementContract(blockedContract, {
    handlers: {
      blocks: ({ job: { attempt } }) => {
        say(`blocks ${attempt}`);
        const until = systemClock.monotonic() + blockMs;
        while (systemClock.monotonic() < until);
        end();
        return { process: process.pid };
      },
      beside: async ({ job: { attempt } }) => {
        say(`beside ${attempt}`);
        await over;
        return { process: process.pid };
      },
    },
  });
}

if (import.meta.main) {
  const [address = "", leaseMs = "", blockMs = ""] = process.argv.slice(2);
  const say = (line: string): void => void writeSync(1, `${line}\n`);
  const store = postgres(address, { leaseMs: Number(leaseMs) });
  const { end } = await workerOn(store, blockedContract, blockedHandlers(say, Number(blockMs)));
  process.stdin.on("data", () => {
    process.stdin.pause();
    void end();
  });
  say("works");
}
