/** The machine and the settings that a figure depends on, so that nobody compares figures that cannot be compared. */
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { cores, pinning, usageSource } from "./processes.ts";

export interface Environment {
  readonly [name: string]: string | number | boolean;
}

export function describeEnvironment(
  settings: Environment,
  pinned: boolean,
  quick: boolean,
  rounds: number,
): Environment {
  const allowed = cores();
  return {
    date: new Date().toISOString(),
    tensile: tensileVersion(),
    node: process.version,
    v8: process.versions.v8,
    system: `${platform()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: allowed.length > 0 ? allowed.length : cpus().length,
    memoryMB: Math.round(totalmem() / 1e6),
    pinned: pinned && pinning(),
    cpuFrom: usageSource(),
    rounds,
    quick,
    ...settings,
  };
}

export function tensileVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}

/** The two cores of a run: the measured server has the first for itself, the load generator the second. */
export function pinnedCores(): { readonly server: number | undefined; readonly load: number | undefined } {
  const [server, load] = pinning() ? cores() : [];
  return { server, load };
}
