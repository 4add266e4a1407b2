/** The axum server of bench/peers/axum: built with cargo where there is one, in release mode, with the versions of its lockfile. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { usageSource } from "./processes.ts";

const folder = fileURLToPath(new URL("./peers/axum/", import.meta.url));
const program = `${folder}target/release/tensile-bench-axum`;

/** Builds it if it is not built from these sources. Says why not where it cannot be. */
export function buildAxum(say: (line: string) => void): string | undefined {
  // It does not answer questions about itself, as the others do.
  if (!usageSource().startsWith("/proc/"))
    return "its use of CPU and memory can only be read from /proc, which is not here";
  if (rustVersion() === undefined) return "there is no cargo on the path";
  if (!existsSync(program)) say("Building axum with cargo (about a minute) …");
  const built = spawnSync("cargo", ["build", "--release", "--quiet"], {
    cwd: folder,
    encoding: "utf8",
    timeout: 600_000,
  });
  if (built.status === 0) return undefined;
  const lines = (built.stderr ?? "").split("\n").filter((line) => line.trim() !== "");
  return `cargo could not build it: ${lines[0] ?? built.error?.message ?? `it ended with ${built.signal ?? built.status}`}`;
}

export function axumVersion(): string {
  const locked = /name = "axum"\nversion = "([^"]+)"/.exec(readFileSync(`${folder}Cargo.lock`, "utf8"))?.[1];
  return `${locked} + garde, one thread, Rust ${rustVersion()}`;
}

/** Undefined without cargo. */
function rustVersion(): string | undefined {
  const asked = spawnSync("cargo", ["--version"], { cwd: folder, encoding: "utf8", timeout: 20_000 });
  return asked.status === 0 ? /\d+\.\d+\.\d+/.exec(asked.stdout)?.[0] : undefined;
}
