/** No export that nobody takes, no file that nobody reaches. What is in the package's public face is taken by its users. */
import { lineOf } from "../compiler.ts";
import { type Complaint, isTest, type Module, type Tree } from "./tree.ts";

export function deadExportsRule(tree: Tree): Complaint[] {
  const taken = new Map<string, Set<string> | "all">();
  for (const { path, imports } of tree.modules.values()) {
    for (const { target, names } of imports) {
      if (target === undefined || target === path) continue;
      if (names === undefined) taken.set(target, "all");
      const known = taken.get(target) ?? new Set();
      if (known === "all") continue;
      for (const name of names ?? []) known.add(name);
      taken.set(target, known);
    }
  }
  const complaints: Complaint[] = [];
  for (const { path, source, text, exports } of tree.modules.values()) {
    const names = taken.get(path);
    if (!path.startsWith("src/") || isPublic(tree, path) || names === "all") continue;
    for (const { name, node, isType } of exports) {
      if (name === "*" || names?.has(name)) continue;
      // A declaration file must be able to name the types of what the file exports, also where nobody writes the name.
      if (isType && text.split(new RegExp(`\\b${name}\\b`)).length > 2) continue;
      complaints.push({
        file: path,
        line: lineOf(source, node),
        rule: "dead-export",
        message: `Nobody imports \`${name}\`. Remove the word \`export\`, or the code if nothing in the file uses it either.`,
      });
    }
  }
  return complaints;
}

export function deadFilesRule(tree: Tree): Complaint[] {
  const inProduct = reach(tree, (path) => isPublic(tree, path) || (!path.startsWith("src/") && !isTest(path)));
  const inTests = reach(tree, isTest);
  const complaints: Complaint[] = [];
  for (const path of tree.modules.keys()) {
    if (!path.startsWith("src/") || isTest(path) || inProduct.has(path) || isTestMaterial(path)) continue;
    complaints.push({
      file: path,
      rule: "dead-file",
      message: inTests.has(path)
        ? 'Only tests reach this file. Remove it with its test, use it, or, when it serves tests, put "test", "suite", "conformance" or "fixture" into its path.'
        : "Nothing reaches this file. Remove it, or import it where it is needed.",
    });
  }
  return complaints;
}

function isPublic(tree: Tree, path: string): boolean {
  const { exports, bin = {} } = tree.manifest;
  return [...Object.values(exports), ...Object.values(bin)].includes(`./${path}`);
}

function isTestMaterial(path: string): boolean {
  return /(^|[-/.])(test|tests|testing|suite|conformance|fixture|fixtures)([-/.]|$)/.test(path);
}

function reach(tree: Tree, isStart: (path: string) => boolean): Set<string> {
  const reached = new Set<string>();
  const waiting: Module[] = [...tree.modules.values()].filter(({ path }) => isStart(path));
  for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
    if (reached.has(module.path)) continue;
    reached.add(module.path);
    for (const { target } of module.imports) {
      const next = target === undefined ? undefined : tree.modules.get(target);
      if (next !== undefined) waiting.push(next);
    }
  }
  return reached;
}
