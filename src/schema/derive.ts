/**
 * Nodes made from other nodes: what a protocol needs when it carries a part of an object, or when it must read what a newer
 * version of the other side has written.
 */
import { makeNode, toNode } from "./make-node.ts";
import type { AnySchema, Field, Node, ObjectNode } from "./nodes.ts";

/** An object of some of the fields of `node`, nameless, with the same rule for unknown fields. */
export function pickFields(node: ObjectNode, fields: readonly Field[]): ObjectNode {
  return makeNode<ObjectNode>({ kind: "object", fields: Object.freeze([...fields]), unknown: node.unknown });
}

const tolerantNodes = new WeakMap<Node, Node>();

/**
 * The same schema, except that unknown fields of its objects are ignored: for a client, which must go on working when the
 * server has learned to answer with more. A foreign schema keeps its own rule.
 */
export function ignoreUnknownFields(schema: AnySchema): Node {
  const node = toNode(schema);
  const known = tolerantNodes.get(node);
  if (known !== undefined) return known;
  const tolerant = copyTolerant(node);
  tolerantNodes.set(node, tolerant);
  return tolerant;
}

function copyTolerant(node: Node): Node {
  switch (node.kind) {
    case "object":
      return tolerantObject(node);
    case "tagged":
      return makeNode<typeof node>({
        ...node,
        variants: Object.freeze(
          node.variants.map((variant) => Object.freeze({ ...variant, node: tolerantObject(variant.node) })),
        ),
      });
    case "array":
      return makeNode<typeof node>({ ...node, items: ignoreUnknownFields(node.items) });
    case "tuple":
      return makeNode<typeof node>({ ...node, items: Object.freeze(node.items.map(ignoreUnknownFields)) });
    case "map":
      return makeNode<typeof node>({ ...node, values: ignoreUnknownFields(node.values) });
    case "nullable":
    case "brand":
      return makeNode({ ...node, inner: ignoreUnknownFields(node.inner) } as typeof node);
    case "refine":
      return makeNode<typeof node>({ ...node, inner: ignoreUnknownFields(node.inner) });
    case "ref":
      // Asked for only when a value is read: the object that it names may still be on its way through this function.
      return makeNode<typeof node>({ ...node, target: () => ignoreUnknownFields(node.target()) });
    default:
      return node;
  }
}

function tolerantObject(node: ObjectNode): ObjectNode {
  const fields = node.fields.map((field) => Object.freeze({ ...field, node: ignoreUnknownFields(field.node) }));
  return makeNode<ObjectNode>({ ...node, fields: Object.freeze(fields), unknown: "strip" });
}
