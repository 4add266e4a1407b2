/**
 * Which modules a program of built files loads before it runs: those of its static imports, and theirs. What is imported by a call,
 * `await import(…)`, is not among them. workerd wants them listed, and the test wants to know that none is Node's.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, posix, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export interface LoadedModule {
  /** By which the others import it: workerd resolves every specifier against the importer's name, as a path. */
  readonly name: string;
  readonly file: string;
}

export interface ModuleGraph {
  readonly modules: readonly LoadedModule[];
  /** `importer: specifier` of every import of a module of Node's. */
  readonly platform: readonly string[];
}

/** In `folder`, from the entry `name`. Throws for an import that leads nowhere. */
export function moduleGraph(folder: string, name: string): ModuleGraph {
  const modules = new Map<string, LoadedModule>([[name, { name, file: `${folder}/${name}` }]]);
  const platform: string[] = [];
  for (const module of modules.values()) {
    for (const specifier of staticImports(readFileSync(module.file, "utf8"))) {
      if (specifier.startsWith("node:")) {
        platform.push(`${relative(folder, module.file).split(sep).join("/")}: ${specifier}`);
        continue;
      }
      const imported = posix.join(posix.dirname(module.name), specifier);
      if (!modules.has(imported)) modules.set(imported, { name: imported, file: resolveFrom(module.file, specifier) });
    }
  }
  return { modules: [...modules.values()], platform };
}

/** Of code as the TypeScript compiler writes it: one statement begins a line. */
function staticImports(code: string): readonly string[] {
  const statements = code.matchAll(/^(?:import|export)\s(?:[^;"'`]*?\sfrom\s*)?["']([^"']+)["']/gmu);
  return [...statements].map((match) => match[1] as string);
}

function resolveFrom(importer: string, specifier: string): string {
  if (specifier.startsWith(".")) return fileURLToPath(new URL(specifier, pathToFileURL(importer)));
  return fileURLToPath(pathToFileURL(createRequire(`${dirname(importer)}/x.js`).resolve(specifier)));
}
