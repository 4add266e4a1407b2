/**
 * `npm run check`: everything that can be said about the tree without running it. Every step runs, so that one go shows
 * all that is wrong; a failed step makes the exit code 1.
 *
 * `npm run check -- lint tidy` runs the named steps alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("..", import.meta.url);

const steps: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "types", command: ["tsc", "--noEmit", "-p", "tsconfig.json"] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "must-use", command: ["node", "tools/must-use.ts"] },
  { name: "tidy", command: ["node", "tools/tidy.ts"] },
  { name: "examples", command: ["node", "tools/doc-examples.ts"] },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`check: no step "${unknown.join(" ")}". The steps: ${steps.map((step) => step.name).join(", ")}.`);
  process.exit(2);
}

const failed: string[] = [];
for (const { name, command } of steps) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  const [program, ...args] = command as [string, ...string[]];
  const path = program === "node" ? process.execPath : binary(program);
  const done = spawnSync(path, args, { cwd: root, encoding: "utf8" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (done.status === 0) {
    console.log(`check: ${name} is clean (${seconds} s)`);
  } else {
    console.log(`check: ${name} FAILED (${seconds} s)\n${done.stdout ?? ""}${done.stderr ?? ""}${done.error ?? ""}`);
    failed.push(name);
  }
}
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(", ")}. \`npm run fix\` mends format and part of lint.`);
  process.exit(1);
}

/** The command of a development dependency; a `.cmd` shim on Windows. */
function binary(name: string): string {
  const path = fileURLToPath(new URL(`node_modules/.bin/${name}`, root));
  if (!existsSync(path)) {
    console.error(`check: ${name} is not installed. Run \`npm ci\`.`);
    process.exit(2);
  }
  return path;
}
