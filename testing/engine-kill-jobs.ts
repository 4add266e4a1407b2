/** The jobs of the process that is killed: tiny ones, ones that take a while, and one that kills the process by itself. */
import { contract, fixed, implementContract, job, type Implemented } from "../src/contract/index.ts";
import { sleep, systemClock } from "../src/core/index.ts";
import { t } from "../src/schema/index.ts";

const input = { n: t.int() };
const retry = { attempts: 1_000, backoff: fixed("5ms") };

export const killContract = contract("kill.v1", {
  quick: job("quick", { input, output: { n: t.int() }, retry }),
  slow: job("slow", { input, retry, concurrency: 5 }),
  poison: job("poison", { input, retry: { attempts: 2 }, priority: 0 }),
});

/** `say` is told each begin and end; `die` is what the poison does to its process. */
export function killWorker(say: (line: string) => void, die: () => void): Implemented {
  return implementContract(killContract, {
    handlers: {
      quick: ({ input: { n }, job: { id, attempt } }) => {
        say(`run ${id} ${attempt}`);
        say(`end ${id}`);
        return { n };
      },
      slow: async ({ job: { id, attempt }, signal }) => {
        say(`run ${id} ${attempt}`);
        await sleep(systemClock, 30, signal);
        say(`end ${id}`);
      },
      poison: ({ job: { id, attempt } }) => {
        say(`run ${id} ${attempt}`);
        die();
      },
    },
  });
}
