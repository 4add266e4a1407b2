import assert from "node:assert/strict";
import { test } from "node:test";
import { driveEngine } from "./drive.ts";
import { splitEverywhere } from "./generate.ts";
import { createReference } from "./llhttp.ts";
import { disagreement, type EngineRecord } from "./record.ts";
import { vectors } from "./vectors.ts";

/** Of the last answer, when it closed the connection for an error. */
function refusalStatus({ output }: EngineRecord): number | null {
  const status = Number(/.*HTTP\/1\.1 (\d{3})(?!.*HTTP\/1\.1 \d{3})/s.exec(output)?.[1] ?? 0);
  return status >= 400 ? status : null;
}

for (const { name, source, input, accepted, status } of vectors) {
  test(`${name} (${source}): ${accepted} accepted, then ${status ?? "no refusal"}, whole and byte by byte`, async () => {
    const bytes = Buffer.from(input, "latin1");
    const whole = await driveEngine([bytes]);
    assert.equal(whole.requests.length, accepted, whole.output);
    assert.equal(refusalStatus(whole), status, whole.output);
    if (status !== null) assert.ok(whole.ended, "a refusal closes the connection");
    assert.deepEqual(await driveEngine(splitEverywhere(bytes)), whole);
  });
}

test("no vector is accepted that llhttp does not accept alike", async () => {
  const reference = createReference();
  for (const { name, input } of vectors) {
    if (name === "Upgrade is ignored") continue;
    const bytes = Buffer.from(input, "latin1");
    assert.equal(disagreement(await driveEngine([bytes]), await reference.read(bytes)), null, name);
  }
});
