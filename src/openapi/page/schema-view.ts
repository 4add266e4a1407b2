/** Schemas on the docs page: as a tree to read, and as a sample to send. Runs in the browser; see dom.ts. */
import { h, lazyDetails, prose, refName, resolve, type PageDocument, type PageSchema } from "./dom.ts";

/** `integer`, `array of City`, `"de" | "en"`. */
export function typeText(schema: PageSchema): string {
  const name = refName(schema);
  if (name !== undefined) return name;
  const { type, items, const: only, enum: values, oneOf, anyOf, format, prefixItems, additionalProperties } = schema;
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  const union = oneOf ?? anyOf;
  if (Array.isArray(union)) return union.map((one) => typeText(one as PageSchema)).join(" | ");
  if (Array.isArray(prefixItems)) return `[${prefixItems.map((one) => typeText(one as PageSchema)).join(", ")}]`;
  if (type === "array" && typeof items === "object") return `array of ${typeText(items as PageSchema)}`;
  if (type === "object" && typeof additionalProperties === "object")
    return `map of ${typeText(additionalProperties as PageSchema)}`;
  const kind = Array.isArray(type) ? type.join(" | ") : typeof type === "string" ? type : "any JSON";
  return typeof format === "string" ? `${kind} (${format})` : kind;
}

/** Bounds and patterns in words. The bounds that its format already says are left out. */
export function limitsText(schema: PageSchema): string {
  const words: string[] = [];
  const { $ref: named, enum: values, pattern, format, uniqueItems, prefixItems } = schema;
  const bound = (keyword: string, phrase: string, widest = Infinity): void => {
    const value = schema[keyword];
    if (typeof value === "number" && Math.abs(value) < widest) words.push(`${phrase} ${value}`);
  };
  if (named !== undefined && Array.isArray(values))
    words.push(`one of ${values.map((value) => JSON.stringify(value)).join(", ")}`);
  const widest = format === "int32" ? 2_147_483_647 : Number.MAX_SAFE_INTEGER;
  bound("minimum", "at least", widest);
  bound("maximum", "at most", widest);
  bound("minLength", "length at least");
  bound("maxLength", "length at most");
  if (prefixItems === undefined) {
    bound("minItems", "items at least");
    bound("maxItems", "items at most");
  }
  if (uniqueItems === true) words.push("no item twice");
  if (typeof pattern === "string" && format === undefined && pattern.length < 80) words.push(`matches ${pattern}`);
  if (schema["default"] !== undefined) words.push(`default ${JSON.stringify(schema["default"])}`);
  return words.join(", ");
}

/** The parts of a schema that has parts; undefined for a scalar. */
export function schemaTree(api: PageDocument, schema: PageSchema): HTMLElement | undefined {
  const { properties, required, items, oneOf, anyOf, additionalProperties } = resolve(api, schema);
  const union = oneOf ?? anyOf;
  if (Array.isArray(union)) {
    const list = h("ul", { class: "tree" });
    for (const one of union as readonly PageSchema[]) list.append(schemaRow(api, "", one, undefined));
    return list;
  }
  if (typeof properties === "object" && properties !== null) {
    const list = h("ul", { class: "tree" });
    const needed = Array.isArray(required) ? (required as readonly unknown[]) : [];
    for (const [name, one] of Object.entries(properties))
      list.append(schemaRow(api, name, one as PageSchema, needed.includes(name)));
    return list.childElementCount === 0 ? undefined : list;
  }
  if (typeof items === "object") return schemaTree(api, items as PageSchema);
  if (typeof additionalProperties === "object") return schemaTree(api, additionalProperties as PageSchema);
  return undefined;
}

export function schemaRow(
  api: PageDocument,
  name: string,
  schema: PageSchema,
  required: boolean | undefined,
): HTMLLIElement {
  const whole = resolve(api, schema);
  const items = typeof whole["items"] === "object" ? (whole["items"] as PageSchema) : undefined;
  const each = items?.["$ref"] === undefined ? undefined : limitsText({ ...resolve(api, items), ...items });
  const limits = [limitsText({ ...whole, ...schema }), each].filter(Boolean).join(", ");
  const description = schema["description"] ?? whole["description"];
  const head = [
    name === "" ? undefined : h("code", { class: "name" }, name),
    h("span", { class: "type" }, typeText(schema)),
    required === true ? h("span", { class: "required" }, "required") : undefined,
    limits === "" ? undefined : h("span", { class: "limits" }, limits),
  ];
  const about = typeof description === "string" ? prose(description) : undefined;
  const inner = nestedSchema(api, whole);
  if (inner === undefined) return h("li", {}, h("div", { class: "row" }, ...head), about);
  return h(
    "li",
    {},
    lazyDetails({}, [h("span", { class: "row" }, ...head)], () => [schemaTree(api, inner)]),
    about,
  );
}

/** Where a row opens to: an object, or what a list or map holds when that is one. */
export function nestedSchema(api: PageDocument, schema: PageSchema): PageSchema | undefined {
  const whole = resolve(api, schema);
  const { properties, oneOf, anyOf, items, additionalProperties } = whole;
  if (typeof properties === "object" && properties !== null)
    return Object.keys(properties).length > 0 ? whole : undefined;
  const union = oneOf ?? anyOf;
  if (Array.isArray(union))
    return union.some((one) => nestedSchema(api, one as PageSchema) !== undefined) ? whole : undefined;
  if (typeof items === "object") return nestedSchema(api, items as PageSchema);
  if (typeof additionalProperties === "object") return nestedSchema(api, additionalProperties as PageSchema);
  return undefined;
}

/** A value to begin with: examples and defaults where there are some, required fields only. */
export function sampleOf(api: PageDocument, schema: PageSchema, depth: number): unknown {
  const whole = { ...resolve(api, schema), ...schema };
  const examples = whole["examples"];
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  if (whole["default"] !== undefined) return whole["default"];
  if (whole["const"] !== undefined) return whole["const"];
  const choices = whole["enum"] ?? whole["oneOf"] ?? whole["anyOf"];
  if (Array.isArray(choices))
    return whole["enum"] === undefined ? sampleOf(api, choices[0] as PageSchema, depth + 1) : choices[0];
  const type = Array.isArray(whole["type"]) ? (whole["type"] as readonly unknown[])[0] : whole["type"];
  if (type === "integer" || type === "number") return Math.max(0, Number(whole["minimum"] ?? 0));
  if (type === "boolean") return false;
  if (type === "array")
    return Array.isArray(whole["prefixItems"])
      ? whole["prefixItems"].map((one) => sampleOf(api, one as PageSchema, depth + 1))
      : [];
  if (type === "object") {
    const value: { [name: string]: unknown } = {};
    const needed = Array.isArray(whole["required"]) ? (whole["required"] as readonly unknown[]) : [];
    for (const [name, one] of Object.entries((whole["properties"] ?? {}) as { [name: string]: PageSchema })) {
      if (depth < 6 && needed.includes(name)) value[name] = sampleOf(api, one, depth + 1);
    }
    return value;
  }
  if (whole["format"] === "date-time") return "2026-01-01T00:00:00Z";
  if (whole["format"] === "int64") return "0";
  return type === "string" ? "" : null;
}
