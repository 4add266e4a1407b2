/** A streamed request body as an OpenAPI Request Body Object. Bytes have no schema in OpenAPI 3.1, only a media type. */
import { schemaOf, type Body } from "../contract/index.ts";
import { jsonSchema, type JsonSchema, type JsonSchemaRefs } from "../schema/index.ts";

export function writeUpload(upload: Body, refs: JsonSchemaRefs): JsonSchema {
  switch (upload.kind) {
    case "octets": {
      const types = upload.types ?? ["application/octet-stream"];
      const description = `Octets, at most ${upload.maxBytes}.`;
      return { required: true, description, content: Object.fromEntries(types.map((type) => [type, {}])) };
    }
    case "items": {
      const description = `One JSON value a line, at most ${upload.maxItemBytes} bytes each and ${upload.maxBytes} in all. The schema is that of one.`;
      const schema = jsonSchema(upload.item, { io: "input", refs, foreign: "any" });
      return { required: true, description, content: { "application/x-ndjson": { schema } } };
    }
    case "multipart":
      return writeMultipart(upload, refs);
  }
}

function writeMultipart(
  { fields, files, maxBytes }: Extract<Body, { kind: "multipart" }>,
  refs: JsonSchemaRefs,
): JsonSchema {
  const object = jsonSchema(schemaOf(fields), { io: "input", refs, foreign: "any" });
  const own = (object["properties"] ?? {}) as { readonly [name: string]: JsonSchema };
  const required = [...((object["required"] ?? []) as readonly string[])];
  const properties: { [name: string]: JsonSchema } = { ...own };
  const encoding: { [name: string]: JsonSchema } = {};
  for (const [name, { types, optional, maxFiles, maxBytes: most }] of files) {
    const one = { type: "string", contentMediaType: "application/octet-stream", description: `At most ${most} bytes.` };
    properties[name] = maxFiles === undefined ? one : { type: "array", items: one, maxItems: maxFiles };
    if (!optional) required.push(name);
    if (types !== undefined) encoding[name] = { contentType: types.join(", ") };
  }
  const schema = {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
  return {
    required: true,
    description: `A form with files, at most ${maxBytes} bytes in all.`,
    content: {
      "multipart/form-data": { schema, ...(Object.keys(encoding).length === 0 ? {} : { encoding }) },
    },
  };
}
