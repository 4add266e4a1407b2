/**
 * `npm run fuzz`: the property tests in their long form, for a quiet hour. `npm run fuzz -- schema` runs the named ones,
 * `--times 10` makes them ten times as long. A failure prints its seed and smallest case; put that into a test of its own.
 * `--seconds N` and `--seed N` are for campaigns that run by time and seed (http): they stop after N seconds at the latest.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Campaign {
  readonly name: string;
  readonly file: string;
  /** The environment variable that the test reads, and its value at `--times 1`: some minutes on one core. */
  readonly variable: string;
  readonly runs: number;
}

const campaigns: readonly Campaign[] = [
  { name: "schema", file: "src/schema/equality.test.ts", variable: "SCHEMA_RUNS", runs: 20_000 },
  { name: "http", file: "src/http/engine/conformance/campaign.test.ts", variable: "FUZZ_CASES", runs: 100_000 },
  { name: "router", file: "src/http/router.test.ts", variable: "TENSILE_RUNS", runs: 50_000 },
  { name: "requests", file: "src/http/random-requests.test.ts", variable: "TENSILE_RUNS", runs: 100_000 },
  { name: "client", file: "src/client/round-trip.test.ts", variable: "TENSILE_RUNS", runs: 5_000 },
  { name: "attacks", file: "testing/attacks.test.ts", variable: "ATTACKERS", runs: 600 },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "1" }, seconds: { type: "string" }, seed: { type: "string" } },
});
// A run by time is not to end early for its number of cases.
const times = values.seconds === undefined ? Number(values.times) : 1e6;
const more = {
  ...(values.seconds === undefined ? {} : { FUZZ_SECONDS: values.seconds }),
  ...(values.seed === undefined ? {} : { FUZZ_SEED: values.seed }),
};
const unknown = positionals.filter((name) => !campaigns.some((campaign) => campaign.name === name));
if (unknown.length > 0 || !(times > 0)) {
  console.error(
    `fuzz: say some of ${campaigns.map(({ name }) => name).join(", ")}, or nothing for all, and --times N.`,
  );
  process.exit(2);
}

for (const { name, file, variable, runs } of campaigns) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const cases = Math.ceil(runs * times);
  console.log(`fuzz: ${name}, ${cases} cases`);
  const done = spawnSync(process.execPath, ["--test", "--test-reporter=spec", file], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, [variable]: String(cases), ...more },
  });
  if (done.status !== 0) process.exitCode = 1;
}
