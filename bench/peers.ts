/** The packages that the benchmarks stand beside: in bench/peers, with a lockfile of their own, installed when first needed. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("./peers/", import.meta.url));

/** Someone has to do something before the benchmark can run: install, or name other systems. */
export class CannotRun extends Error {}

/** Installs them if they are missing or not those of the lockfile. Throws CannotRun when they cannot be had. */
export function ensurePeers(say: (line: string) => void): void {
  if (arePeersInstalled()) return;
  say("The peers are not installed. Running `npm ci` in bench/peers (about 185 MB, most of it Bun) …");
  // Under `npm run` npm says where it is; started by hand, the one on the path has to do.
  const npm = process.env["npm_execpath"];
  const [program, ...before] = npm === undefined ? ["npm"] : [process.execPath, npm];
  const done = spawnSync(program, [...before, "ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
    shell: npm === undefined && process.platform === "win32",
    timeout: 240_000,
  });
  if (done.status !== 0 || !arePeersInstalled()) {
    const last = `${done.stderr ?? ""}`.split("\n").filter((line) => line.startsWith("npm error"));
    throw new CannotRun(
      "The peers could not be installed; is this machine offline? Run `npm ci` in bench/peers when it is not, or measure " +
        `Tensile alone with \`--only tensile\`.\n${last.slice(0, 5).join("\n")}`,
    );
  }
}

/** Where the npm package of Bun puts its program, on every system under this name. */
export const bunProgram = `${folder}node_modules/bun/bin/bun.exe`;

/** Why Bun cannot run here; undefined when it can. Its package is optional: it has a program for some systems only. */
export function withoutBun(): string | undefined {
  const asked = spawnSync(bunProgram, ["--version"], { encoding: "utf8", timeout: 20_000 });
  if (asked.status === 0) return undefined;
  return "its npm package did not bring a program that runs on this system (its install script may have been refused)";
}

/**
 * Why uWebSockets.js cannot run here; undefined when it can. Its binaries are optional packages: for some Nodes and systems, and
 * those for Node 26 want glibc 2.38 or later.
 */
export function withoutUws(): string | undefined {
  const asked = spawnSync(process.execPath, ["-e", 'require("@uwsjs/core")'], {
    cwd: folder,
    encoding: "utf8",
    timeout: 20_000,
  });
  if (asked.status === 0) return undefined;
  const reason = asked.stderr.split("\n").findLast((line) => line.startsWith("Error:"));
  return `its npm package brought no binary that runs here (${reason ?? "it gave no reason"})`;
}

export function peerVersion(name: string): string {
  return versionIn(`node_modules/${name}/package.json`) ?? "not installed";
}

function arePeersInstalled(): boolean {
  const wanted = JSON.parse(readFileSync(`${folder}package.json`, "utf8")) as {
    dependencies: { [name: string]: string };
  };
  return Object.entries(wanted.dependencies).every(([name, version]) => peerVersion(name) === version);
}

function versionIn(path: string): string | undefined {
  const file = `${folder}${path}`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : undefined;
}
