import assert from "node:assert/strict";
import { test } from "node:test";
import { runCampaign } from "./campaign.ts";

test("on generated and mutated byte streams the engine accepts only what llhttp accepts alike, however they are split", async () => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const cases = Number(process.env["FUZZ_CASES"] ?? 1_500);
  const tally = await runCampaign(seed, (done) => done < cases);
  assert.ok(
    tally.accepted > cases / 4,
    `seed ${seed}: only ${tally.accepted} of ${cases} cases had an accepted request`,
  );
});
