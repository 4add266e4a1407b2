import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../core/index.ts";
import { runCampaign } from "./campaign.ts";

test("on generated and mutated byte streams the engine accepts only what llhttp accepts alike, however they are split", async (t) => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const cases = Number(process.env["FUZZ_CASES"] ?? 1_500);
  const end = systemClock.monotonic() + Number(process.env["FUZZ_SECONDS"] ?? Infinity) * 1000;
  t.diagnostic(`seed ${seed}: FUZZ_SEED=${seed} repeats this run`);
  const tally = await runCampaign(seed, (done) => done < cases && systemClock.monotonic() < end);
  t.diagnostic(JSON.stringify(tally));
  const { accepted } = tally;
  assert.ok(accepted > tally.cases / 5, `seed ${seed}: only ${accepted} requests accepted in ${tally.cases} cases`);
});
