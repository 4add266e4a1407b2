/**
 * The fields of another library's object schema, read from the JSON Schema that it offers (Standard JSON Schema), so that they
 * can travel in a path, a query or headers. The nodes made here serve only to turn texts into JSON values and to name the
 * fields: what is valid stays for the foreign schema to say.
 */
import { t, toNode, type AnySchema, type FieldNode, type ForeignNode, type ObjectNode } from "../schema/index.ts";

type JsonSchema = { readonly [keyword: string]: unknown };

/** Undefined when the schema offers no JSON Schema, or one that is not a plain object. */
export function foreignObject(node: ForeignNode): ObjectNode | undefined {
  const schema = jsonSchemaOf(node.schema);
  if (schema?.["type"] !== "object" || !isRecord(schema["properties"])) return undefined;
  const required = Array.isArray(schema["required"]) ? (schema["required"] as readonly unknown[]) : [];
  const shape: { [name: string]: FieldNode } = {};
  for (const [name, property] of Object.entries(schema["properties"])) {
    if (name === "__proto__") return undefined;
    const field = fieldNode(property);
    shape[name] = required.includes(name) ? field : t.optional(field);
  }
  return toNode(
    t.object(shape, { unknown: schema["additionalProperties"] === false ? "refuse" : "strip" }),
  ) as ObjectNode;
}

/** The JSON Schema of what the schema accepts. */
function jsonSchemaOf(schema: AnySchema): JsonSchema | undefined {
  const standard = schema["~standard"] as { readonly jsonSchema?: { input(options: { target: string }): unknown } };
  if (standard.jsonSchema === undefined) return undefined;
  try {
    const made = standard.jsonSchema.input({ target: "draft-2020-12" });
    return isRecord(made) ? made : undefined;
  } catch {
    // The standard lets a library throw for what JSON Schema cannot say.
    return undefined;
  }
}

/** Any node that reads texts as the property's type does. */
function fieldNode(property: unknown): FieldNode {
  if (!isRecord(property)) return t.json();
  switch (property["type"]) {
    case "string":
      return t.string();
    case "integer":
      return t.int();
    case "number":
      return t.float();
    case "boolean":
      return t.boolean();
    case "array":
      return t.array(fieldNode(property["items"]));
    default:
      return Array.isArray(property["enum"]) && property["enum"].every((value) => typeof value === "string")
        ? t.string()
        : t.json();
  }
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
