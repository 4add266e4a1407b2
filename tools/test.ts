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
/** The end was asked for from outside: by a terminal, a time limit, a supervisor. */
let ended: { readonly signal: NodeJS.Signals; readonly afterS: number } | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    ended ??= { signal, afterS: Math.round(process.uptime()) };
    child.kill(signal);
  });
}
child.on("exit", (code) => {
  process.exitCode = code === null || (code === 0 && ended !== undefined) ? 1 : code;
  if (ended === undefined) return;
  // Node reports each file that was under way as cancelled, with a sentence about a promise that is pending. That is read as a hang of the file.
  process.stderr.write(
    `\nThis run was ended by ${ended.signal} after ${ended.afterS} s. A file that is reported as cancelled above was still under way: it neither failed nor hung.\n`,
  );
});
