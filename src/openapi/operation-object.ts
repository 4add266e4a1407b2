/**
 * One operation as an OpenAPI Operation Object. What another library cannot say about its schemas is described as anything: a
 * document that says less is better than an app that starts only where documents are off.
 */
import { lastEventIdKey, type AnyFaultType, type HttpPlan, type Operation, type TextField } from "../contract/index.ts";
import { compileForm, jsonSchema, type Format, type JsonSchema, type JsonSchemaRefs } from "../schema/index.ts";
import { writeUpload } from "./upload-object.ts";
import type { Problems } from "./problem-schemas.ts";

/** The name under which operations refer to the way callers authenticate. */
export const callerScheme = "caller";

export interface DocumentWriter {
  readonly refs: JsonSchemaRefs;
  readonly problems: Problems;
  /** Whether the API knows callers. */
  readonly authenticated: boolean;
  /** Beside JSON. */
  readonly formats: readonly Format[];
}

/** What captures are called in the document's path; undefined where that is what the operation calls them. */
export type CaptureNames = ReadonlyMap<string, string> | undefined;

export function writeOperation(
  plan: HttpPlan,
  faults: readonly AnyFaultType[],
  names: CaptureNames,
  writer: DocumentWriter,
): JsonSchema {
  const { operation } = plan;
  const { summary = humanize(operation.name), description, tags, deprecated } = operation.options;
  const parameters = plan.texts.map((text) => writeParameter(text, names, plan, writer));
  if (operation.type === "subscription" && operation.options.resume === true) parameters.push(...resumeParameters);
  const requestBody = writeBody(plan, writer);
  return {
    operationId: operation.name,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined || tags.length === 0 ? {} : { tags }),
    ...(deprecated === true ? { deprecated } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: { [plan.status]: writeSuccess(plan, writer), ...writer.problems.responses(faults) },
    security: writeSecurity(operation, writer),
  };
}

function writeParameter(
  { field, place, key, list }: TextField,
  names: CaptureNames,
  plan: HttpPlan,
  { refs }: DocumentWriter,
): JsonSchema {
  const docs = field.docs ?? field.node.docs;
  const tail = plan.parts.some((part) => part.kind === "tail" && part.name === key) && place === "path";
  const description = [docs?.description, tail ? "The rest of the path: its slashes are not escaped." : undefined]
    .filter(Boolean)
    .join(" ");
  const schema = foreignProperty(plan, field.wireName) ?? jsonSchema(field.node, { io: "input", refs, foreign: "any" });
  return {
    name: place === "path" ? (names?.get(key) ?? key) : key,
    in: place,
    ...(description === "" ? {} : { description }),
    // A list is written by repetition, and an empty one as nothing.
    required: place === "path" || (field.presence === "required" && !list),
    ...(docs?.deprecated === true ? { deprecated: true } : {}),
    schema: field.presence === "default" ? { ...schema, default: field.defaultWire } : schema,
  };
}

function writeBody(plan: HttpPlan, { refs, formats }: DocumentWriter): JsonSchema | undefined {
  const { bodyNode, upload } = plan;
  if (upload !== undefined) return writeUpload(upload, refs);
  if (bodyNode === undefined || (bodyNode.kind === "object" && bodyNode.fields.length === 0)) return undefined;
  const schema =
    plan.join === "foreign" && bodyNode.kind === "object"
      ? foreignRest(
          plan,
          bodyNode.fields.map(({ wireName }) => wireName),
        )
      : jsonSchema(bodyNode, { io: "input", refs, foreign: "any" });
  return {
    required: plan.bodyRequired,
    content: contentOf(
      schema,
      // What opens a stream is JSON.
      plan.operation.type === "subscription" ? [] : formats.filter((format) => fitsBody(plan, format)),
    ),
  };
}

/** A form cannot carry what is neither a scalar nor a list of scalars. */
function fitsBody({ bodyObject }: HttpPlan, { kind }: Format): boolean {
  return kind === "binary" || (bodyObject !== undefined && compileForm(bodyObject) !== undefined);
}

/** One schema in each media type: bytes are base64 text in JSON, as it says, and bytes in a binary format. */
function contentOf(schema: JsonSchema, formats: readonly Format[]): JsonSchema {
  const types = ["application/json", ...formats.map(({ types: [type] }) => type)];
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

function writeSuccess({ operation, output, status }: HttpPlan, { refs, formats }: DocumentWriter): JsonSchema {
  const description = output.docs?.description ?? "Success.";
  if (status === 204 || status === 205) return { description };
  const schema = jsonSchema(output, { io: "output", refs, foreign: "any" });
  if (operation.type !== "subscription") {
    const binary = formats.filter(({ kind }) => kind === "binary");
    return { description, content: contentOf(schema, binary) };
  }
  // OpenAPI 3.1 has no word for the items of a stream (3.2 has `itemSchema`); generators of clients read `schema` as theirs.
  return {
    description: `${output.docs?.description ?? "A stream of items."} ${streamNote}`,
    content: { "text/event-stream": { schema }, "application/x-ndjson": { schema } },
  };
}

const streamNote =
  "As Server-Sent Events each item is the `data` of an event, `event: end` ends the stream, and `event: fault` ends it with a problem " +
  "document; as NDJSON each item is a line, and a failure is a last line with the member `$fault`. The schema is that of one item.";

/** How a client that comes back says where it was. */
const resumeParameters: readonly JsonSchema[] = [
  {
    name: "Last-Event-ID",
    in: "header",
    description: "The id of the last item seen: the stream goes on after it. An EventSource sends it by itself.",
    required: false,
    schema: { type: "string", maxLength: 256 },
  },
  {
    name: lastEventIdKey,
    in: "query",
    description: "The same for clients that can set no header.",
    required: false,
    schema: { type: "string", maxLength: 256 },
  },
];

/** OpenAPI 3.1 lets any scheme name the roles that a call needs. */
function writeSecurity({ options: { access } }: Operation, { authenticated }: DocumentWriter): readonly JsonSchema[] {
  if (access === "public") return authenticated ? [{}, { [callerScheme]: [] }] : [];
  return [{ [callerScheme]: typeof access === "object" ? access.scopes : [] }];
}

/** `getCity` to `Get city`: every operation has a line, also where nobody wrote one. */
function humanize(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The whole JSON Schema of another library's object, where its fields travel in different places. */
function foreignSchema(
  plan: HttpPlan,
): { readonly properties: { readonly [name: string]: JsonSchema }; readonly schema: JsonSchema } | undefined {
  if (plan.join !== "foreign") return undefined;
  const schema = jsonSchema(plan.input, { io: "input" });
  const properties = schema["properties"];
  if (typeof properties !== "object" || properties === null || JSON.stringify(properties).includes('"$ref"'))
    return undefined;
  return { schema, properties: properties as { [name: string]: JsonSchema } };
}

function foreignProperty(plan: HttpPlan, name: string): JsonSchema | undefined {
  return foreignSchema(plan)?.properties[name];
}

/** The object with these properties only. */
function foreignRest(plan: HttpPlan, names: readonly string[]): JsonSchema {
  const foreign = foreignSchema(plan);
  if (foreign === undefined) return { type: "object" };
  const required = Array.isArray(foreign.schema["required"])
    ? foreign.schema["required"].filter((name) => names.includes(String(name)))
    : [];
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, foreign.properties[name] ?? {}])),
    ...(required.length === 0 ? {} : { required: required.map(String) }),
  };
}
