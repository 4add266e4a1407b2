/**
 * The one place that touches TypeScript's programmatic API, which version 7 marks as unstable. The tools ask for syntax
 * trees and types through this file, so that a changed API changes one file.
 */
import { resolve } from "node:path";
import { type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import { API, type Project as ApiProject, SignatureKind, type Type, TypeFlags } from "typescript/unstable/sync";

export { SignatureKind, SyntaxKind, TypeFlags, type Node, type SourceFile, type Type };
export type Checker = ApiProject["checker"];

export interface Project extends Disposable {
  /** The files of the project itself, without libraries, in order of their names. */
  readonly files: readonly SourceFile[];
  readonly checker: Checker;
}

/** Opens the project of a tsconfig.json. Takes a compiler process until it is disposed. */
export function openProject(configFile: string): Project {
  const config = resolve(configFile);
  const api = new API({ cwd: resolve(config, "..") });
  const project = api.updateSnapshot({ openProjects: [config] }).getProjects()[0];
  if (project === undefined) {
    api.close();
    throw new Error(`The compiler cannot open ${config}.`);
  }
  const files = [...project.rootFiles]
    .sort()
    .map((name) => project.program.getSourceFile(name))
    .filter((file) => file !== undefined);
  return { files, checker: project.checker, [Symbol.dispose]: () => api.close() };
}

/** Calls `visit` with every node below `root`, parents first. */
export function walk(root: Node, visit: (node: Node) => void): void {
  root.forEachChild((child) => {
    visit(child);
    walk(child, visit);
  });
}

/** 1-based line of a node, where its first token stands. */
export function lineOf(file: SourceFile, node: Node): number {
  let line = 1;
  const start = node.getStart(file);
  for (let at = file.text.indexOf("\n"); at !== -1 && at < start; at = file.text.indexOf("\n", at + 1)) line++;
  return line;
}
