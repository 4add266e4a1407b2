/** `npm test` when it is ended from outside: Node's report alone reads as if the file that was under way had hung. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "test-run-"));
after(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly text: string;
}

/** Runs a file with such a test, and sends the signal, if there is one, once the test is under way. */
async function run(name: string, body: string, signal?: NodeJS.Signals): Promise<Run> {
  const file = join(folder, `${name}.test.mjs`);
  writeFileSync(file, `import { test } from "node:test";\ntest("${name}", ${body});\n`);
  // The runner of these tests tells its children that they are its own.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [join(import.meta.dirname, "test.ts"), file], { env });
  let text = "";
  let sent = false;
  const heard = (chunk: Buffer): void => {
    text += chunk.toString();
    if (sent || signal === undefined || !text.includes("under way")) return;
    sent = true;
    child.kill(signal);
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

const endless =
  "() => { console.error('under way'); setInterval(() => undefined, 1_000); return new Promise(() => undefined); }";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`a run that is ended by ${signal} fails, and says that what was under way neither failed nor hung`, async () => {
    const { code, text } = await run(`endless-${signal}`, endless, signal);
    assert.equal(code, 1);
    assert.match(text, /Promise resolution is still pending/, "what Node says of it");
    assert.match(text, new RegExp(`This run was ended by ${signal} after \\d+ s\\. .* neither failed nor hung\\.`));
  });
}

test("a run that comes to its end says nothing of the kind, and has the code of its tests", async () => {
  const passed = await run("passes", "() => undefined");
  assert.equal(passed.code, 0, passed.text);
  const failed = await run("fails", "() => { throw new Error('no'); }");
  assert.equal(failed.code, 1);
  for (const { text } of [passed, failed]) assert.doesNotMatch(text, /was ended by/);
});
