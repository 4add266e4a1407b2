/** Questions about a whole schema, asked once at start. */
import type { Node } from "./nodes.ts";

/** The nodes directly inside a node. */
function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case "object":
      return node.fields.map((field) => field.node);
    case "tagged":
      return node.variants.map((variant) => variant.node);
    case "array":
      return [node.items];
    case "tuple":
      return node.items;
    case "map":
      return node.key === undefined ? [node.values] : [node.key, node.values];
    case "nullable":
    case "brand":
    case "refine":
      return [node.inner];
    case "ref":
      return [node.target()];
    default:
      return [];
  }
}

const plainKinds = new Set<Node["kind"]>([
  "string",
  "int32",
  "int",
  "float",
  "boolean",
  "literal",
  "enum",
  "array",
  "tuple",
  "object",
  "nullable",
  "brand",
]);

/**
 * Whether the wire value that encoding makes is what reading its JSON text gives: nothing has another form there, takes a default, may be missing, or is checked by
 * foreign code. The one difference left is -0, which is 0 in JSON.
 */
export function isPlain(root: Node): boolean {
  return !some(
    root,
    (node) =>
      !plainKinds.has(node.kind) ||
      (node.kind === "object" &&
        node.fields.some((field) => field.presence !== "required" || field.wireName !== field.name)),
  );
}

/** Whether the predicate holds for the node or any inside it, however deep. */
export function some(root: Node, predicate: (node: Node) => boolean): boolean {
  const seen = new Set<Node>([root]);
  for (const node of seen) {
    if (predicate(node)) return true;
    for (const child of children(node)) seen.add(child);
  }
  return false;
}
