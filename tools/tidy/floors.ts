/**
 * The floors: a folder of `src/` imports only folders on lower floors, never an equal, and only through their `index.ts`.
 * Tests may climb (a dispatcher is tested on a real store), but they too go through the front door.
 */
import { dirname } from "node:path/posix";
import { type Complaint, folderOf, isTest, type Tree } from "./tree.ts";

/** The one table. A new folder gets its floor here, in docs/ARCHITECTURE.md, and nowhere else. */
export const floors: { readonly [folder: string]: number } = {
  core: 0,
  schema: 1,
  telemetry: 1,
  exchange: 1,
  kv: 1,
  contract: 2,
  formats: 2,
  parallel: 2,
  http: 3,
  jobs: 3,
  client: 3,
  openapi: 4,
  graphql: 4,
  grpc: 4,
  sqlite: 4,
  static: 4,
  middleware: 4,
  opentelemetry: 4,
  postgres: 4,
  pipeline: 4,
  dashboard: 5,
  serve: 6,
  cli: 7,
  pino: 7,
  // Imported by nobody in src; imports whatever it helps to test.
  testing: 8,
};

export function floorsRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const module of tree.modules.values()) {
    const folder = folderOf(module.path);
    if (folder !== undefined && floors[folder] === undefined) {
      complaints.push({
        file: module.path,
        rule: "floors",
        message: `src/${folder} has no floor. Give it one in tools/tidy/floors.ts and docs/ARCHITECTURE.md.`,
      });
      continue;
    }
    for (const { target, line } of module.imports) {
      const other = target === undefined ? undefined : folderOf(target);
      if (folder === undefined || other === undefined || other === folder || isTest(module.path)) continue;
      if ((floors[other] ?? Infinity) < (floors[folder] as number)) continue;
      complaints.push({
        file: module.path,
        line,
        rule: "floors",
        message:
          `src/${folder} (floor ${floors[folder]}) imports src/${other} (floor ${floors[other]}). A folder imports only ` +
          "lower floors: move what both need down, or pass it in from above.",
      });
    }
  }
  return complaints;
}

/** Who imports a folder goes through its `index.ts`; a folder inside a folder has a front door if it has an `index.ts`. */
export function frontDoorRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const module of tree.modules.values()) {
    for (const { target, line, specifier } of module.imports) {
      if (target === undefined || !target.startsWith("src/")) continue;
      if (module.path.startsWith("examples/") && specifier.startsWith(".")) {
        complaints.push({
          file: module.path,
          line,
          rule: "front-door",
          message: `An example imports "${tree.manifest.name}" by name, as its reader will, not ${specifier}.`,
        });
        continue;
      }
      const door = frontDoorOf(tree, module.path, target);
      if (door === undefined || door === target) continue;
      complaints.push({
        file: module.path,
        line,
        rule: "front-door",
        message: `Import from ${door}, not from ${target}. When the name is not there, export it there if it is meant for others.`,
      });
    }
  }
  return complaints;
}

/** The `index.ts` of the outermost folder that `to` is in and `from` is not. */
function frontDoorOf(tree: Tree, from: string, to: string): string | undefined {
  if (!from.startsWith("src/")) {
    // Tools, benches and the like may look inside: they are not the product.
    return undefined;
  }
  const folders: string[] = [];
  for (let folder = dirname(to); folder !== "src" && folder !== "."; folder = dirname(folder)) folders.unshift(folder);
  const entered = folders.filter((folder) => !from.startsWith(`${folder}/`));
  const outermost = entered[0];
  if (outermost === undefined) return undefined;
  const door = `${outermost}/index.ts`;
  return dirname(outermost) === "src" || tree.modules.has(door) ? door : undefined;
}
