/**
 * The tree as the rules see it: every TypeScript file with its imports and exports, every Markdown file, package.json.
 * Paths are relative to the root and use `/`.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { lineOf, openProject, type SourceFile } from "../compiler.ts";
import { exportsOf, type Export, importsOf, type Import } from "./modules.ts";

export interface Module {
  readonly path: string;
  readonly source: SourceFile;
  readonly text: string;
  readonly imports: readonly ResolvedImport[];
  readonly exports: readonly Export[];
}

export interface ResolvedImport extends Import {
  /** The file of the tree that it names, or undefined for a package or a platform module. */
  readonly target: string | undefined;
  readonly line: number;
}

export interface Manifest {
  readonly name: string;
  readonly exports: { readonly [subPath: string]: string };
  readonly bin?: { readonly [name: string]: string };
  readonly dependencies?: { readonly [name: string]: string };
  readonly devDependencies?: { readonly [name: string]: string };
  readonly peerDependencies?: { readonly [name: string]: string };
}

export interface Tree {
  readonly root: string;
  readonly modules: ReadonlyMap<string, Module>;
  /** Markdown files by path. */
  readonly documents: ReadonlyMap<string, string>;
  readonly manifest: Manifest;
  /** Whether a path, relative to the root, exists. */
  has(path: string): boolean;
}

export interface Complaint {
  readonly file: string;
  readonly line?: number;
  readonly rule: string;
  /** What is wrong, and what to do. */
  readonly message: string;
}

export type Rule = (tree: Tree) => Complaint[];

export function loadTree(root: string): Tree & Disposable {
  const project = openProject(join(root, "tsconfig.json"));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const modules = new Map<string, Module>();
  for (const source of project.files) {
    const path = relative(root, source.fileName).split(sep).join("/");
    const imports = importsOf(source).map((found) => ({
      ...found,
      target: targetOf(path, found.specifier, manifest),
      line: lineOf(source, found.node),
    }));
    modules.set(path, { path, source, text: source.text, imports, exports: exportsOf(source) });
  }
  const documents = new Map<string, string>();
  for (const found of globSync(["*.md", "{docs,examples,bench,src}/**/*.md"], { cwd: root })) {
    if (!found.includes("node_modules"))
      documents.set(found.split(sep).join("/"), readFileSync(join(root, found), "utf8"));
  }
  return {
    root,
    modules,
    documents,
    manifest,
    has: (path) => existsSync(join(root, path)),
    [Symbol.dispose]: () => project[Symbol.dispose](),
  };
}

function targetOf(from: string, specifier: string, manifest: Manifest): string | undefined {
  if (specifier.startsWith(".")) return posix.normalize(posix.join(dirname(from), specifier));
  if (specifier !== manifest.name && !specifier.startsWith(`${manifest.name}/`)) return undefined;
  const file = manifest.exports[`.${specifier.slice(manifest.name.length)}`];
  return file === undefined ? undefined : posix.normalize(file);
}

/** Tests, and what only tests use. Their names say so. */
export function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

/** `src/http/engine/parser.ts` -> `http`; undefined outside `src/` and for the root face. */
export function folderOf(path: string): string | undefined {
  const [top, folder, ...rest] = path.split("/");
  return top === "src" && rest.length > 0 ? folder : undefined;
}
