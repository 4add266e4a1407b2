/**
 * `npm test`: every test, and what else is asked for behind `--`. Sources are compiled once for all processes and threads of the run, not by each: the
 * threads of the stores alone would otherwise take half of its time for that.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "..");
const given = process.argv.slice(2);
const patterns = given.some((argument) => !argument.startsWith("-"))
  ? []
  : ["{src,tools,testing,examples,bench}/**/*.test.ts"];
const fixed = ["--test", "--test-concurrency=3", "--test-timeout=240000", "--test-reporter=spec"];
const child = spawn(process.execPath, [...fixed, ...given, ...patterns], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compile") },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
