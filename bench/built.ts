/**
 * The package as npm would install it: what is measured is what users run, not the sources, whose types Node must strip at
 * start and keeps in memory.
 */
import { fileURLToPath } from "node:url";
import { build } from "../tools/build.ts";

const entry = "TENSILE_BENCH_ENTRY";

/** Builds it, and has every process that is started from here on load it. */
export function useBuiltPackage(say: (line: string) => void): undefined {
  if (process.env[entry] !== undefined) return;
  say("Building the package (npm run build) …");
  build();
  process.env[entry] = fileURLToPath(new URL("../dist/index.js", import.meta.url));
}

/** The built package in a process of a benchmark; the sources in one that was started by hand. */
export async function loadTensile(): Promise<typeof import("../src/index.ts")> {
  return (await import(process.env[entry] ?? "../src/index.ts")) as typeof import("../src/index.ts");
}
