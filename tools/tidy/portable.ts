/**
 * The root face and the client run where there is no Node: a browser imports the contract, an edge runtime calls `app.fetch`.
 * So nothing that they load at once may load a `node:` module or lean on Node's globals. What needs Node is loaded by a
 * dynamic import inside the function that needs it.
 */
import { lineOf, type Node, SyntaxKind, walk } from "../compiler.ts";
import type { Complaint, Module, Tree } from "./tree.ts";

const faces = ["src/index.ts", "src/client/index.ts"];
const nodeGlobals = new Set([
  "Buffer",
  "process",
  "setImmediate",
  "clearImmediate",
  "__dirname",
  "__filename",
  "require",
]);

export function portableRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  /** How each file was reached, for the message. */
  const via = new Map<string, string | undefined>();
  const waiting: string[] = [];
  for (const face of faces) {
    if (tree.modules.has(face)) {
      via.set(face, undefined);
      waiting.push(face);
    }
  }
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const module = tree.modules.get(path) as Module;
    for (const { specifier, target, mode, line } of module.imports) {
      if (mode !== "static") continue;
      if (specifier.startsWith("node:")) {
        complaints.push({
          file: path,
          line,
          rule: "portable",
          message:
            `${specifier} is loaded by ${chain(via, path)}, which a browser imports. Load the part that needs it by a ` +
            "dynamic import inside the function that uses it, or write `import type` if only its types are used.",
        });
      } else if (target !== undefined && tree.modules.has(target) && !via.has(target)) {
        via.set(target, path);
        waiting.push(target);
      }
    }
    complaints.push(...nodeGlobalsIn(module, via));
  }
  return complaints;
}

function nodeGlobalsIn(module: Module, via: ReadonlyMap<string, string | undefined>): Complaint[] {
  const complaints: Complaint[] = [];
  walk(module.source, (node) => {
    if (node.kind !== SyntaxKind.Identifier || !nodeGlobals.has(node.getText(module.source))) return;
    if (!isReference(node)) return;
    complaints.push({
      file: module.path,
      line: lineOf(module.source, node),
      rule: "portable",
      message:
        `\`${node.getText(module.source)}\` does not exist in a browser, and ${chain(via, module.path)} is imported by one. Use ` +
        "what the web platform has (Uint8Array, TextEncoder, globalThis.process?.…), or load this part by a dynamic import.",
    });
  });
  return complaints;
}

/** Not the name of a property, a declaration or a type. */
function isReference(node: Node): boolean {
  const { parent } = node as { parent: Node & { name?: Node; expression?: Node } };
  if (parent.kind === SyntaxKind.PropertyAccessExpression) return parent.expression === node;
  return ![
    SyntaxKind.TypeReference,
    SyntaxKind.PropertyAssignment,
    SyntaxKind.PropertySignature,
    SyntaxKind.PropertyDeclaration,
    SyntaxKind.MethodDeclaration,
    SyntaxKind.MethodSignature,
    SyntaxKind.Parameter,
    SyntaxKind.BindingElement,
    SyntaxKind.TypeQuery,
  ].includes(parent.kind);
}

function chain(via: ReadonlyMap<string, string | undefined>, path: string): string {
  const steps = [path];
  for (let from = via.get(path); from !== undefined; from = via.get(from)) steps.unshift(from);
  return steps.join(" -> ");
}
