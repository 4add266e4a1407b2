/** The part of `t` that says more about another node. */
import { encodeNode } from "./check.ts";
import { defaultLimits } from "./limits.ts";
import { makeNode, toNode } from "./make-node.ts";
import type {
  AnySchema,
  Brand,
  BrandNode,
  DefaultNode,
  Docs,
  FieldNode,
  ForeignNode,
  Infer,
  InferInput,
  Node,
  NullableNode,
  OptionalNode,
  RefineNode,
  RefNode,
} from "./nodes.ts";

/** A field that may be missing. Null is not missing: for that, `t.nullable`. */
function optional<S extends AnySchema>(inner: S): OptionalNode<InferInput<S>, Infer<S>> {
  return makeNode<OptionalNode<InferInput<S>, Infer<S>>>({ kind: "optional", inner: toNode(inner) });
}

/** A value or null. */
function nullable<S extends AnySchema>(inner: S): NullableNode<InferInput<S> | null, Infer<S> | null> {
  return makeNode<NullableNode<InferInput<S> | null, Infer<S> | null>>({ kind: "nullable", inner: toNode(inner) });
}

/** A field that takes `value` when it is missing. Every decoded object gets a fresh copy. */
function withDefault<S extends AnySchema>(inner: S, value: InferInput<S>): DefaultNode<InferInput<S>, Infer<S>> {
  const node = toNode(inner);
  const wire = encodeNode(node, value, defaultLimits);
  if (!wire.ok) throw new TypeError(`The value given to t.default does not fit its schema: ${wire.fault.message}.`);
  return makeNode<DefaultNode<InferInput<S>, Infer<S>>>({ kind: "default", inner: node, wire: deepFreeze(wire.value) });
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}

/**
 * Another schema, named through a function, so that a schema can hold itself. TypeScript needs the type written out once:
 *
 * @example
 * interface Tree { name: string; children: Tree[] }
 * const Tree = t.object("Tree", { name: t.string(), children: t.array(t.ref((): Schema<Tree> => Tree)) });
 */
function ref<S extends AnySchema>(target: () => S): RefNode<InferInput<S>, Infer<S>> {
  let node: Node | undefined;
  return makeNode<RefNode<InferInput<S>, Infer<S>>>({
    kind: "ref",
    target() {
      if (node === undefined) {
        const found = toNode(target());
        // Known before the check, which may come back here; forgotten when that fails, so that it fails each time.
        node = found;
        try {
          refuseEndless(found);
        } catch (error) {
          node = undefined;
          throw error;
        }
      }
      return node;
    },
  });
}

/** A schema that comes back to itself without an object or list between would never end on any value. */
function refuseEndless(start: Node): void {
  const seen = new Set<Node>();
  for (
    let node = start;
    node.kind === "ref" || node.kind === "nullable" || node.kind === "brand" || node.kind === "refine";
  ) {
    if (seen.has(node))
      throw new TypeError(
        "A t.ref comes back to itself with no object, array or map between, so no value would ever fit it.",
      );
    seen.add(node);
    node = node.kind === "ref" ? node.target() : node.inner;
  }
}

/** A nominal type: a plain value may be written where one is sent, and what is decoded carries the brand. */
function brand<S extends AnySchema, const B extends string>(
  inner: S,
  name: B,
): BrandNode<InferInput<S>, Infer<S> & Brand<B>> {
  return makeNode<BrandNode<InferInput<S>, Infer<S> & Brand<B>>>({ kind: "brand", inner: toNode(inner), brand: name });
}

/**
 * A condition that the decoded value must meet, with the sentence that a client reads when it does not. Both ways. JSON Schema
 * cannot say it. The predicate must not throw.
 */
function refine<S extends AnySchema>(
  inner: S,
  predicate: (value: Infer<S>) => boolean,
  message: string,
): RefineNode<InferInput<S>, Infer<S>> {
  return makeNode<RefineNode<InferInput<S>, Infer<S>>>({ kind: "refine", inner: toNode(inner), predicate, message });
}

/** The field's name on the wire. */
function rename<N extends FieldNode>(node: N, wireName: string): N {
  return copyWith(node, { wireName });
}

/** Title, description, examples and deprecation, for JSON Schema, OpenAPI and GraphQL. */
function describe<N extends FieldNode>(node: N, docs: Docs): N {
  return copyWith(node, { docs: Object.freeze({ ...node.docs, ...docs }) });
}

function copyWith<N extends FieldNode>(node: N, more: { readonly wireName?: string; readonly docs?: Docs }): N {
  return makeNode<N>({ ...node, ...more });
}

/** Another library's schema as a node: done by itself wherever a schema may stand, and by hand to describe or rename it. */
function foreign<S extends AnySchema>(schema: S): ForeignNode<InferInput<S>, Infer<S>> {
  return makeNode<ForeignNode<InferInput<S>, Infer<S>>>({ kind: "foreign", schema });
}

export const t = { optional, nullable, default: withDefault, ref, brand, refine, rename, describe, foreign };
