/**
 * The long form of the property tests: `npm run fuzz -- http --seconds 60 --seed 1`. Prints its seed first, so that a run can
 * be repeated; a failure names the seed of its one case.
 */
import { parseArgs } from "node:util";
import { runCampaign } from "../src/http/engine/conformance/campaign.ts";

interface Tally {
  readonly cases: number;
}

const campaigns: Readonly<Record<string, (seed: number, more: (cases: number) => boolean) => Promise<Tally>>> = {
  http: runCampaign,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "30" }, seed: { type: "string" } },
});
const run = campaigns[positionals[0] ?? ""];
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);

if (run === undefined || !(seconds > 0) || !Number.isSafeInteger(seed) || seed < 0) {
  console.error(`Usage: npm run fuzz -- <${Object.keys(campaigns).join(" | ")}> [--seconds N] [--seed N]`);
  process.exitCode = 2;
} else {
  console.log(`fuzz ${positionals[0]}: seed ${seed}, ${seconds} s`);
  const end = performance.now() + seconds * 1000;
  try {
    console.log(await run(seed, () => performance.now() < end));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
