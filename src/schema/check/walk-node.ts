/**
 * The interpreter: one readable walk over a schema and a value, both ways. It is the truth that the compiled codecs must equal.
 */
import { isPromiseLike } from "../../core/index.ts";
import { jsonPointer } from "../issues.ts";
import type {
  ArrayNode,
  Field,
  ForeignNode,
  MapNode,
  Node,
  ObjectNode,
  RefineNode,
  TaggedNode,
  TupleNode,
} from "../nodes.ts";
import { jsonOfWire, wellFormed, wireOfJson } from "./binary-values.ts";
import { isJson } from "./json.ts";
import { uniqueKey } from "./unique-key.ts";
import { inheritedNames } from "../scalars.ts";
import { nearest } from "./nearest.ts";
import { scalarActs, type Acts } from "./scalars.ts";
import {
  enter,
  failed,
  isFull,
  isRecord,
  leave,
  newWalk,
  report,
  wrongType,
  type Walk,
  type WireForm,
} from "./walk.ts";
import type { SchemaLimits } from "../limits.ts";

/** The value in its other form, or `failed` after at least one issue was reported. */
export function walkNode(node: Node, value: unknown, walk: Walk): unknown {
  switch (node.kind) {
    case "object":
      return walkObject(node, value, walk);
    case "tagged":
      return walkTagged(node, value, walk);
    case "array":
      return walkArray(node, value, walk);
    case "tuple":
      return walkTuple(node, value, walk);
    case "map":
      return walkMap(node, value, walk);
    case "nullable":
      return value === null ? null : walkNode(node.inner, value, walk);
    case "ref":
      return walkNode(node.target(), value, walk);
    case "brand":
      return walkNode(node.inner, value, walk);
    case "refine":
      return walkRefine(node, value, walk);
    case "foreign":
      return walkForeign(node, value, walk);
    default: {
      const acts = scalarActs[node.kind] as Acts<Node>;
      return walk.to === "decoded" ? acts.decode(node, value, walk) : acts.encode(node, value, walk);
    }
  }
}

/** Walks a member, with its key on the path. */
function walkMember(node: Node, value: unknown, key: string | number, walk: Walk): unknown {
  walk.path.push(key);
  const other = walkNode(node, value, walk);
  walk.path.pop();
  return other;
}

function walkObject(
  node: ObjectNode,
  value: unknown,
  walk: Walk,
  tag?: { readonly name: string; readonly value: string },
): unknown {
  if (!isRecord(value)) return wrongType(walk, "object", value);
  if (!enter(walk)) return failed;
  const before = walk.issues.length;
  const other: Record<string, unknown> = {};
  if (tag !== undefined) other[tag.name] = tag.value;
  for (const field of node.fields) {
    if (isFull(walk)) break;
    walkField(field, value, other, walk);
  }
  if (walk.to === "decoded" && node.unknown === "refuse") refuseUnknown(node, value, walk, tag?.name);
  leave(walk);
  return walk.issues.length === before ? other : failed;
}

function walkField(
  field: Field,
  from: Readonly<Record<string, unknown>>,
  to: Record<string, unknown>,
  walk: Walk,
): void {
  const decoding = walk.to === "decoded";
  const fromName = decoding ? field.wireName : field.name;
  const toName = decoding ? field.name : field.wireName;
  let value = readField(from, fromName);
  if (value === undefined && walk.eitherForm) value = readField(from, field.name);
  if (value === undefined) {
    if (field.presence === "optional") return;
    if (field.presence === "default") {
      to[toName] = decoding
        ? inJson(walk, () => walkMember(field.node, field.defaultWire, fromName, walk))
        : defaultOnWire(field, walk.form, walk.limits);
      return;
    }
    if (!mayBeUndefined(field.node, decoding && !walk.eitherForm)) {
      walk.path.push(fromName);
      report(walk, "required", "is required", "a value");
      walk.path.pop();
      return;
    }
  }
  if (field.node.kind !== "foreign") to[toName] = walkMember(field.node, value, fromName, walk);
  else walkForeignField(field.node, value, fromName, toName, to, walk);
}

/** A schema keeps its defaults in the form of JSON. */
function inJson<T>(walk: Walk, read: () => T): T {
  const { form } = walk;
  walk.form = "json";
  const value = read();
  walk.form = form;
  return value;
}

/** The default of a field as it is written in a form. */
export function defaultOnWire(field: Field, form: WireForm, limits: SchemaLimits): unknown {
  if (form === "json") return field.defaultWire;
  const decoded = walkNode(field.node, field.defaultWire, newWalk("decoded", limits));
  return decoded === failed ? failed : walkNode(field.node, decoded, newWalk("wire", limits, false, undefined, form));
}

/** A foreign schema may turn a value into nothing, and an absent one into something. */
function walkForeignField(
  node: ForeignNode,
  value: unknown,
  fromName: string,
  toName: string,
  to: Record<string, unknown>,
  walk: Walk,
): void {
  walk.path.push(fromName);
  const member = foreignValue(node, value, walk);
  walk.path.pop();
  if (member !== undefined) to[toName] = member;
}

/** Whether an absent member is the node's own business: a foreign schema decides itself, and "nothing" is written as null. */
function mayBeUndefined(node: Node, decoding: boolean): boolean {
  switch (node.kind) {
    case "foreign":
      return true;
    case "nothing":
      return !decoding;
    case "nullable":
    case "brand":
    case "refine":
      return mayBeUndefined(node.inner, decoding);
    case "ref":
      return mayBeUndefined(node.target(), decoding);
    default:
      return false;
  }
}

/** A member by name. Names that every object inherits count only when the object has them itself. */
function readField(from: Readonly<Record<string, unknown>>, name: string): unknown {
  return inheritedNames.has(name) && !Object.hasOwn(from, name) ? undefined : from[name];
}

function refuseUnknown(
  node: ObjectNode,
  value: Readonly<Record<string, unknown>>,
  walk: Walk,
  tag: string | undefined,
): void {
  for (const key of Object.keys(value)) {
    if (isFull(walk)) return;
    if (key === tag || node.fields.some((field) => field.wireName === key || (walk.eitherForm && field.name === key)))
      continue;
    const meant = nearest(
      key,
      node.fields.map((field) => field.wireName),
    );
    walk.path.push(key);
    report(walk, "unknown_field", `is not a field here${meant === undefined ? "" : `; did you mean "${meant}"?`}`);
    walk.path.pop();
  }
}

function walkTagged(node: TaggedNode, value: unknown, walk: Walk): unknown {
  if (!isRecord(value)) return wrongType(walk, "object", value);
  const tag = readField(value, node.tag);
  const variant = node.variants.find((one) => one.tag === tag);
  if (variant !== undefined) return walkObject(variant.node, value, walk, { name: node.tag, value: variant.tag });
  const names = node.variants.map((one) => one.tag);
  const meant = (typeof tag === "string" ? nearest(tag, names) : undefined) ?? nearestByFields(node, value);
  const expected = names.map((name) => JSON.stringify(name)).join(", ");
  const hint = meant === undefined ? "" : `; the nearest is "${meant}"`;
  walk.path.push(node.tag);
  if (tag === undefined) report(walk, "required", `is required: one of ${expected}${hint}`, expected);
  else report(walk, "variant", `must be one of ${expected}${hint}`, expected, tag);
  walk.path.pop();
  return failed;
}

/** The variant that shares the most field names with the value. */
function nearestByFields(node: TaggedNode, value: Readonly<Record<string, unknown>>): string | undefined {
  let best: string | undefined;
  let most = 0;
  for (const variant of node.variants) {
    const shared = variant.node.fields.filter((field) => Object.hasOwn(value, field.wireName)).length;
    if (shared > most) {
      most = shared;
      best = variant.tag;
    }
  }
  return best;
}

function walkArray(node: ArrayNode, value: unknown, walk: Walk): unknown {
  if (!Array.isArray(value)) return wrongType(walk, "array", value);
  if (!enter(walk)) return failed;
  const before = walk.issues.length;
  const { minItems, maxItems } = node;
  if (minItems !== undefined && value.length < minItems) {
    report(walk, "min_items", `must have at least ${minItems} items`, `at least ${minItems} items`);
  }
  const other: unknown[] = [];
  if (maxItems !== undefined && value.length > maxItems) {
    report(walk, "max_items", `must have at most ${maxItems} items`, `at most ${maxItems} items`);
  } else {
    for (let i = 0; i < value.length && !isFull(walk); i++) other.push(walkMember(node.items, value[i], i, walk));
    if (node.uniqueItems === true && walk.issues.length === before)
      refuseRepeats(walk.to === "decoded" ? value : other, walk);
  }
  leave(walk);
  return walk.issues.length === before ? other : failed;
}

function refuseRepeats(wireItems: readonly unknown[], walk: Walk): void {
  const seen = new Set<string>();
  for (let i = 0; i < wireItems.length && !isFull(walk); i++) {
    const key = uniqueKey(wireItems[i]);
    if (seen.has(key)) {
      walk.path.push(i);
      report(walk, "unique_items", "must not repeat an earlier item");
      walk.path.pop();
    }
    seen.add(key);
  }
}

function walkTuple(node: TupleNode, value: unknown, walk: Walk): unknown {
  if (!Array.isArray(value)) return wrongType(walk, "array", value);
  const { items } = node;
  if (value.length !== items.length) {
    const code = value.length < items.length ? "min_items" : "max_items";
    return report(walk, code, `must have exactly ${items.length} items`, `${items.length} items`);
  }
  if (!enter(walk)) return failed;
  const before = walk.issues.length;
  const other: unknown[] = [];
  for (let i = 0; i < items.length && !isFull(walk); i++) other.push(walkMember(items[i] as Node, value[i], i, walk));
  leave(walk);
  return walk.issues.length === before ? other : failed;
}

function walkMap(node: MapNode, value: unknown, walk: Walk): unknown {
  // A JavaScript Map has no keys that an object has: it would become an empty one without a word.
  if (!isRecord(value) || value instanceof Map) return wrongType(walk, "object", value);
  if (!enter(walk)) return failed;
  const before = walk.issues.length;
  const other = Object.create(null) as Record<string, unknown>;
  const keys = Object.keys(value);
  if (node.maxEntries !== undefined && keys.length > node.maxEntries) {
    report(walk, "max_entries", `must have at most ${node.maxEntries} entries`, `at most ${node.maxEntries} entries`);
  } else {
    for (const key of keys) {
      if (isFull(walk)) break;
      if (node.key !== undefined && walkMember(node.key, key, key, walk) === failed) continue;
      const written = walk.form === "binary" && walk.to === "wire" ? wellFormed(key) : key;
      other[written] = walkMember(node.values, value[key], key, walk);
    }
  }
  leave(walk);
  return walk.issues.length === before ? other : failed;
}

/** The condition is about the decoded value. On the way out that is what the program wrote, with defaults filled in. */
function walkRefine(node: RefineNode, value: unknown, walk: Walk): unknown {
  const other = walkNode(node.inner, value, walk);
  if (other === failed || walk.waiting.size > 0) return other;
  const decoded = walk.to === "decoded" ? other : decodedAgain(node.inner, value, other, walk);
  if (decoded === failed || !node.predicate(decoded as never)) return report(walk, "refine", node.message);
  return other;
}

/** Always by the form of JSON, so that a value is judged alike whatever it is sent as. */
function decodedAgain(inner: Node, value: unknown, wire: unknown, walk: Walk): unknown {
  const json = walk.form === "json" ? wire : walkNode(inner, value, newWalk("wire", walk.limits));
  return json === failed ? failed : walkNode(inner, json, newWalk("decoded", walk.limits));
}

function walkForeign(node: ForeignNode, value: unknown, walk: Walk): unknown {
  const other = foreignValue(node, value, walk);
  return other === undefined && walk.to === "wire" ? null : other;
}

/** A foreign schema validates both ways: what comes in, and what a program gives out, which then must be JSON. */
export function foreignValue(node: ForeignNode, value: unknown, walk: Walk): unknown {
  if (walk.form === "binary" && walk.to === "decoded") {
    // What another library is given is JSON in every format.
    if (value !== undefined && !isJson(value, 0, foreignDepth, true)) return wrongType(walk, "a JSON value", value);
    value = jsonOfWire(value);
  }
  const pointer = jsonPointer(walk.path);
  const answer = walk.answers.get(pointer) ?? node.schema["~standard"].validate(value);
  if (isPromiseLike(answer)) {
    walk.waiting.set(pointer, Promise.resolve(answer));
    return undefined;
  }
  if (answer.issues !== undefined) {
    for (const issue of answer.issues) {
      const parts = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
      walk.path.push(...parts.map((part) => (typeof part === "number" ? part : String(part))));
      report(walk, "foreign", issue.message);
      walk.path.length -= parts.length;
    }
    // An empty list of issues is still a failure by the standard.
    return answer.issues.length === 0 ? report(walk, "foreign", "is invalid") : failed;
  }
  if (walk.to === "decoded") return answer.value;
  const json = toJson(answer.value, walk);
  return walk.form === "binary" && json !== failed ? wireOfJson(json) : json;
}

/** Deeper than any format lets a value come. */
const foreignDepth = 1024;

/** The JSON value that JSON.stringify would write. */
function toJson(value: unknown, walk: Walk): unknown {
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return report(walk, "json", "cannot be written as JSON");
  }
}
