/**
 * The runtimes beside Node, from their npm packages: in this folder, with a lockfile of their own, installed when a test first needs them.
 * They are 350 MB; nothing of the product depends on them.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Runtime = "bun" | "deno" | "workerd";

const folder = fileURLToPath(new URL("./", import.meta.url));

/** As npm links them: each package's install script puts its program there. */
export function programOf(runtime: Runtime): string {
  return `${folder}node_modules/.bin/${runtime}${process.platform === "win32" ? ".cmd" : ""}`;
}

/** Why a runtime cannot run here; undefined when it can. */
export function without(runtime: Runtime): string | undefined {
  const install = installOnce();
  if (install !== undefined) return install;
  const asked = spawnSync(programOf(runtime), ["--version"], { encoding: "utf8", timeout: 30_000 });
  if (asked.status === 0) return undefined;
  return `the npm package "${runtime}" did not bring a program that runs on this system (${asked.error?.message ?? asked.stderr})`;
}

let installed: { readonly problem: string | undefined } | undefined;

function installOnce(): string | undefined {
  installed ??= { problem: install() };
  return installed.problem;
}

function install(): string | undefined {
  if (isInstalled()) return undefined;
  const npm = process.env["npm_execpath"];
  const [program, ...before] = npm === undefined ? ["npm"] : [process.execPath, npm];
  const done = spawnSync(program, [...before, "ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
    shell: npm === undefined && process.platform === "win32",
    timeout: 180_000,
  });
  if (done.status === 0 && isInstalled()) return undefined;
  const said = `${done.stderr ?? ""}`.split("\n").filter((line) => line.startsWith("npm error"));
  return `\`npm ci\` in testing/runtimes failed; is this machine offline? ${said.slice(0, 3).join(" ")}`;
}

function isInstalled(): boolean {
  const wanted = JSON.parse(readFileSync(`${folder}package.json`, "utf8")) as {
    optionalDependencies: { [name: string]: string };
  };
  return Object.entries(wanted.optionalDependencies).every(([name, version]) => {
    const file = `${folder}node_modules/${name}/package.json`;
    return existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version === version;
  });
}
