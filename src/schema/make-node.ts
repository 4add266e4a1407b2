/**
 * Makes nodes: frozen, and with `~standard` on their shared prototype, so that a node costs its own fields and nothing more.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { AnySchema, FieldNode, ForeignNode, Node } from "./nodes.ts";

type Standard = StandardSchemaV1.Props<unknown, unknown> & StandardJSONSchemaV1.Props<unknown, unknown>;
type Bridge = (node: FieldNode) => Standard;

/** Set by t.ts, which makes every node: the bridge needs the interpreter, which needs this file. */
let bridge: Bridge | undefined;

export function setStandardBridge(made: Bridge): void {
  bridge = made;
}

class SchemaNode {
  get "~standard"(): Standard {
    if (bridge === undefined) throw new Error("A schema node was made without t.");
    // `makeNode` gave this object the fields of a node.
    return bridge(this as unknown as FieldNode);
  }
}

/** A frozen node of the fields given; fields that are undefined are left out. */
export function makeNode<N extends FieldNode>(fields: Omit<N, "~standard">): N {
  const node = new SchemaNode() as SchemaNode & { [key: string]: unknown };
  const given = fields as { readonly [key: string]: unknown };
  // Set, then frozen: a third of the time of defining each one read-only. A contract of thousands of operations makes many nodes.
  // `for … in` makes no list of the keys, which is half of the time; the own ones alone, whatever a program did to Object.prototype.
  for (const key in given) {
    const value = given[key];
    if (value !== undefined && Object.hasOwn(given, key)) node[key] = value;
  }
  // The prototype supplies the one property that `fields` lacks.
  return Object.freeze(node) as unknown as N;
}

/** Whether the schema is one of ours. */
export function isNode(schema: AnySchema): schema is FieldNode {
  return schema instanceof SchemaNode;
}

/**
 * The node of any schema: a `t` node itself, another library's wrapped. Throws a TypeError for what is neither, and for
 * `t.optional` and `t.default`, which mean something in a shape only.
 */
export function toNode(schema: AnySchema): Node {
  const node = toFieldNode(schema);
  if (node.kind === "optional" || node.kind === "default") {
    throw new TypeError(
      `t.${node.kind}(…) says that a field may be missing, so it stands only as a field of t.object(…). For a value that may be null write t.nullable(…).`,
    );
  }
  return node;
}

export function toFieldNode(schema: AnySchema): FieldNode {
  if (isNode(schema)) return schema;
  const standard: unknown = (schema as AnySchema | undefined | null)?.["~standard"];
  if (typeof standard !== "object" || standard === null || !("validate" in standard)) {
    throw new TypeError(
      "This is not a schema. Write one with t, such as t.string(), or give a Standard Schema of Zod, ArkType or Valibot.",
    );
  }
  return makeNode<ForeignNode>({ kind: "foreign", schema });
}
