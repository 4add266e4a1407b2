/**
 * Codecs for values that come as texts: path parameters, query and headers. A text is turned into the wire form that its field's
 * node expects, strictly, and then goes the same way as JSON does.
 */
import type { TextSource } from "../codec.ts";
import type { Field, Node, ObjectNode } from "../nodes.ts";

const integerText = /^(?:0|-?[1-9][0-9]{0,15})$/;
const numberText = /^-?(?:0|[1-9][0-9]{0,308})(?:\.[0-9]{1,324})?(?:[eE][+-]?[0-9]{1,3})?$/;

/**
 * The wire value of a text. A text that is not in the node's form stays a string, which the decoder then refuses by type.
 * Integers: no sign but `-`, no leading zeros, no exponent, no spaces. Booleans: `true`, `false`.
 */
function wireOfText(node: Node, text: string): unknown {
  switch (node.kind) {
    case "int32":
    case "int":
      return integerText.test(text) ? Number(text) : text;
    case "float":
      return numberText.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "literal":
      return typeof node.value === "string" ? text : text === String(node.value) ? node.value : text;
    case "brand":
    case "refine":
    case "nullable":
      return wireOfText(node.inner, text);
    case "ref":
      return wireOfText(node.target(), text);
    default:
      return text;
  }
}

/** Throws a TypeError when a field cannot come as text. */
export function checkTextFields(node: ObjectNode): void {
  for (const field of node.fields) {
    const inner = listItem(field.node) ?? field.node;
    if (!isTextual(inner)) {
      throw new TypeError(
        `Field "${field.name}" is ${inner.kind === "object" ? "an object" : `of kind ${inner.kind}`}, which a path, query or header cannot carry. Use scalars and arrays of scalars there.`,
      );
    }
  }
}

function isTextual(node: Node): boolean {
  switch (node.kind) {
    case "object":
    case "tagged":
    case "array":
    case "tuple":
    case "map":
    case "json":
    case "nothing":
      return false;
    case "brand":
    case "refine":
    case "nullable":
      return isTextual(node.inner);
    case "ref":
      return isTextual(node.target());
    default:
      return true;
  }
}

/** The item's node where the field takes a list. */
function listItem(node: Node): Node | undefined {
  switch (node.kind) {
    case "array":
      return node.items;
    case "brand":
    case "refine":
    case "nullable":
      return listItem(node.inner);
    case "ref":
      return listItem(node.target());
    default:
      return undefined;
  }
}

/** The same for a form, where an empty list is written as nothing. */
export function gatherForm(node: ObjectNode, get: TextSource): Record<string, unknown> {
  return gatherTexts(node, (name) => {
    const found = get(name);
    if (found !== undefined) return found;
    const field = node.fields.find(({ wireName }) => wireName === name) as Field;
    return field.presence === "required" && listItem(field.node) !== undefined ? [] : undefined;
  });
}

/** The wire object that the texts of `get` stand for. */
export function gatherTexts(node: ObjectNode, get: TextSource): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const field of node.fields) {
    const value = wireOfField(field, get(field.wireName));
    if (value !== undefined) wire[field.wireName] = value;
  }
  return wire;
}

function wireOfField(field: Field, found: string | readonly string[] | undefined): unknown {
  if (found === undefined) return undefined;
  const item = listItem(field.node);
  if (item !== undefined) return (typeof found === "string" ? [found] : found).map((text) => wireOfText(item, text));
  if (typeof found === "string") return wireOfText(field.node, found);
  // A scalar given once in a list is that scalar; given twice it is ambiguous, and the list is refused by type.
  return found.length === 1 ? wireOfText(field.node, found[0] as string) : found;
}
