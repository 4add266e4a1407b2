/**
 * `npm run simulate -- [--seeds N] [--seed N] [--from N] [--store memory,fleet,sqlite]`: runs seeds until one breaks a promise, and prints it with its trace. `--seed N` runs one and
 * prints all that happened. Exits with 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { fleetPlace, memoryPlace } from "./places.ts";
import { sqlitePlace } from "./sqlite-place.ts";
import { simulate, type SimulatedPlace } from "./simulate.ts";
import { traceOf } from "./trace.ts";

const places: { readonly [name: string]: () => SimulatedPlace } = {
  memory: memoryPlace,
  fleet: fleetPlace,
  sqlite: sqlitePlace,
};

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    seed: { type: "string" },
    from: { type: "string", default: "1" },
    store: { type: "string", default: Object.keys(places).join(",") },
  },
});
const number = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`simulate: --${name} takes a whole number, not "${text}".`);
  process.exit(2);
};
const chosen = values.store.split(",").map((name) => {
  const place = places[name];
  if (place !== undefined) return { name, place };
  console.error(`simulate: --store takes ${Object.keys(places).join(", ")}, not "${name}".`);
  process.exit(2);
});

for (const { name, place } of chosen) {
  if (values.seed !== undefined) {
    const run = await simulate(number("seed", values.seed), place());
    console.log(`${name}: ${traceOf(run, true)}`);
    if (run.violations.length > 0) process.exitCode = 1;
    continue;
  }
  const from = number("from", values.from);
  const count = number("seeds", values.seeds);
  const startedAt = performance.now();
  let steps = 0;
  for (let seed = from; seed < from + count; seed++) {
    const run = await simulate(seed, place());
    steps += run.steps;
    if (run.violations.length > 0) {
      console.log(`${name}: ${traceOf(run)}`);
      process.exitCode = 1;
      break;
    }
    if ((seed - from + 1) % 5_000 === 0) console.log(`${name}: ${seed - from + 1} seeds …`);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  if (process.exitCode !== 1)
    console.log(`${name}: ${count} seeds kept every promise, in ${seconds.toFixed(1)} s and ${steps} steps.`);
}
process.exit();
