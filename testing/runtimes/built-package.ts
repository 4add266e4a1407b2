/**
 * The package as npm would install it, with the programs of `apps/` beside it, in a folder of its own: built files, the published
 * manifest, and nothing of the repository's.
 */
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "../../tools/build.ts";
import { publishedManifest } from "../../tools/package.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface BuiltPackage extends Disposable {
  /** Where `app.js` and its neighbours are. */
  readonly folder: string;
}

export function builtPackage(): BuiltPackage {
  const folder = mkdtempSync(join(tmpdir(), "tensile-runtimes-"));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    install(folder);
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, [Symbol.dispose]: dispose };
}

function install(folder: string): void {
  const home = join(folder, "node_modules", "tensile");
  mkdirSync(home, { recursive: true });
  build(join(home, "dist"));
  const text = readFileSync(join(root, "package.json"), "utf8");
  const manifest = publishedManifest(JSON.parse(text) as Parameters<typeof publishedManifest>[0]);
  writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
  for (const name of Object.keys(manifest["dependencies"] as object))
    cpSync(join(root, "node_modules", name), join(folder, "node_modules", name), { recursive: true });
  const apps = fileURLToPath(new URL("./apps/", import.meta.url));
  for (const file of globSync("**/*.js", { cwd: apps })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(apps, file), join(folder, file));
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
}
