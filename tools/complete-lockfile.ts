/**
 * Writes the lockfile entries of optional platform packages that the registry in use could not give.
 *
 * npm drops an optional package that it cannot find, and then `npm ci` refuses the lockfile that it wrote itself. A mirror
 * that carries one platform's binaries alone therefore breaks the lockfile for everybody. Run after `npm install`:
 * `npm run fix` does.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  optionalDependencies?: { [name: string]: string };
}
interface Lockfile {
  packages: { [path: string]: Entry };
}

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32", "aix", "netbsd", "openbsd", "sunos"];
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/** Adds what is missing and says which; the text is unchanged when nothing is. */
export function completeLockfile(text: string): { text: string; added: string[] } {
  const lock = JSON.parse(text) as Lockfile;
  const added: string[] = [];
  for (const entry of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      if (path in lock.packages) continue;
      const platform = platformOf(name);
      if (platform === undefined || !/^\d/.test(version)) continue;
      lock.packages[path] = { version, ...platform, ...(entry.dev ? { dev: true } : {}), optional: true };
      added.push(`${name}@${version}`);
    }
  }
  if (added.length === 0) return { text, added };
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : Number(a > b))));
  return { text: `${JSON.stringify(lock, null, 2)}\n`, added };
}

/** Reads `…-linux-x64-musl` and the like: the naming that napi-rs, esbuild and TypeScript share. */
function platformOf(name: string): Pick<Entry, "cpu" | "os" | "libc"> | undefined {
  const words = name.split(/[/-]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.includes("musl") ? ["musl"] : words.includes("gnu") ? ["glibc"] : undefined;
  return { cpu: [cpu], os: [os], ...(libc === undefined ? {} : { libc }) };
}

if (import.meta.main) {
  for (const path of ["package-lock.json", "bench/peers/package-lock.json", "testing/runtimes/package-lock.json"]) {
    const file = new URL(`../${path}`, import.meta.url);
    const { text, added } = completeLockfile(readFileSync(file, "utf8"));
    writeFileSync(file, text);
    for (const name of added) console.log(`${path}: wrote the entry of ${name}`);
  }
}
