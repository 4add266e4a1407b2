/** Jobs that end their process, each in its own way, and one that does its work beside them. */
import { contract, fixed, implementContract, job, type Implemented } from "../src/contract/index.ts";
import { t } from "../src/schema/index.ts";

const retry = { attempts: 2, backoff: fixed("1ms") };
const input = { n: t.int() };

export const roughContract = contract("rough.v1", {
  exit: job("exit", { input: {}, retry, priority: 0 }),
  abort: job("abort", { input: {}, retry, priority: 1 }),
  memory: job("memory", { input: {}, retry, priority: 2 }),
  good: job("good", { input, output: input, retry: { attempts: 1_000, backoff: fixed("1ms") } }),
});

/** `say` is told each begin. */
export function roughWorker(say: (line: string) => void): Implemented {
  return implementContract(roughContract, {
    handlers: {
      exit: ({ job: { attempt } }) => {
        say(`run exit ${attempt}`);
        process.exit(0);
      },
      abort: ({ job: { attempt } }) => {
        say(`run abort ${attempt}`);
        process.abort();
      },
      memory: ({ job: { attempt } }) => {
        say(`run memory ${attempt}`);
        // The heap of this process is small: see its arguments.
        const kept: unknown[] = [];
        for (;;) kept.push(Array.from({ length: 100_000 }, (_, n) => ({ n })));
      },
      good: ({ input: { n } }) => ({ n }),
    },
  });
}
