/**
 * Turns package.json into its published form while npm packs, and back: `prepack` and `postpack` run this file.
 *
 * In the repository `exports` names the sources, so that examples and tests import `tensile` by name with no build and no
 * flag. Node does not strip types below `node_modules`, so the published package must name built files. npm has no setting
 * for two forms of `exports`, hence the swap. If a pack is killed in between, the next one, or
 * `node tools/package.ts restore`, mends it; `npm run tidy` complains until then.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "./build.ts";

const manifestFile = fileURLToPath(new URL("../package.json", import.meta.url));
const savedFile = fileURLToPath(new URL("../node_modules/.package.json.saved", import.meta.url));

interface Manifest {
  exports: { [subPath: string]: unknown };
  bin?: { [name: string]: string };
  [field: string]: unknown;
}

/** What users get: built files, and nothing that only the repository needs. */
export function publishedManifest(manifest: Manifest): Manifest {
  const exports: Manifest["exports"] = {};
  for (const [subPath, file] of Object.entries(manifest.exports)) {
    if (typeof file !== "string" || !/^\.\/src\/.+\.ts$/.test(file)) {
      throw new Error(`exports["${subPath}"] is ${JSON.stringify(file)}; a source file below ./src/ was expected.`);
    }
    const built = file.replace("./src/", "./dist/").replace(/\.ts$/, "");
    exports[subPath] = { types: `${built}.d.ts`, default: `${built}.js` };
  }
  exports["./package.json"] = "./package.json";
  const bin = Object.fromEntries(
    Object.entries(manifest.bin ?? {}).map(([name, file]) => [
      name,
      file.replace("./src/", "./dist/").replace(/\.ts$/, ".js"),
    ]),
  );
  const published: Manifest = { ...manifest, bin, exports };
  for (const field of ["scripts", "devDependencies", "allowScripts"]) delete published[field];
  return published;
}

function restore(): void {
  if (existsSync(savedFile)) renameSync(savedFile, manifestFile);
}

if (import.meta.main) {
  // What an interrupted pack left behind.
  restore();
  if (process.argv[2] === "prepare") {
    build();
    const text = readFileSync(manifestFile, "utf8");
    const published = publishedManifest(JSON.parse(text) as Manifest);
    writeFileSync(savedFile, text);
    writeFileSync(manifestFile, `${JSON.stringify(published, null, 2)}\n`);
  } else if (process.argv[2] !== "restore") {
    console.error("package: say `prepare` or `restore`.");
    process.exitCode = 2;
  }
}
