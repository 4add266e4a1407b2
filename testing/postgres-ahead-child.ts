/**
 * A worker in a process of its own for `postgres-ahead-fleet.test.ts`: `node postgres-ahead-child.ts ADDRESS LEASE_MS FOLDER`. Of each key it holds a file of that
 * name while a job of it runs; whoever finds it there, by a process that lives, has run two at once.
 */
import { readFileSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { contract, fixed, implementContract, job } from "../src/contract/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { t } from "../src/schema/index.ts";
import { workerOn } from "./worker-place.ts";

export const aheadContract = contract("ahead.v1", {
  one: job("one", {
    input: { key: t.string() },
    retry: { attempts: 5, backoff: fixed("1ms") },
    key: ({ key }) => key,
    perKey: { concurrency: 1 },
  }),
});

/** `say` is told what went wrong, and each job that ended. */
export function aheadHandlers(folder: string, say: (line: string) => void) {
  return implementContract(aheadContract, {
    handlers: {
      one: async ({ input: { key } }) => {
        const file = `${folder}/${key}`;
        const other = hold(file);
        if (other !== undefined) say(`two of ${key}, with ${other}`);
        await new Promise((resolve) => setImmediate(resolve));
        unlinkSync(file);
        say("ran");
      },
    },
  });
}

/** Answers the process that holds it, unless it is dead. */
function hold(file: string): string | undefined {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return undefined;
  } catch {
    const other = readFileSync(file, "utf8");
    writeFileSync(file, String(process.pid));
    return isAlive(Number(other)) ? other : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A dead child that nobody has waited for yet answers as well.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const [address = "", leaseMs = "", folder = ""] = process.argv.slice(2);
  const say = (line: string): void => void writeSync(1, `${line}\n`);
  const store = postgres(address, { leaseMs: Number(leaseMs) });
  const { end } = await workerOn(store, aheadContract, aheadHandlers(folder, say));
  process.stdin.on("data", () => {
    process.stdin.pause();
    void end();
  });
  say("works");
}
