/** Floor 1: what values are. Schemas as data, the interpreter, the compiled codecs, JSON Schema, Standard Schema. */
export { decode, encode } from "./check.ts";
export type { BinaryCodec, Codec, TextCodec } from "./codec.ts";
export { compile, compileBinary, compileForm, compileReader, compileText, compileWriter } from "./compile.ts";
export { ignoreUnknownFields, pickFields } from "./derive.ts";
export { Invalid, rootIssue, type Issue } from "./issues.ts";
export { repeatedKey } from "./json-text.ts";
export { defaultLimits, type SchemaLimits } from "./limits.ts";
export { toNode } from "./make-node.ts";
export type {
  AnySchema,
  ArrayNode,
  BooleanNode,
  Brand,
  BrandNode,
  BytesNode,
  DecimalNode,
  DefaultNode,
  DurationNode,
  EnumNode,
  Field,
  FieldNode,
  FloatNode,
  ForeignNode,
  Infer,
  InferInput,
  Int32Node,
  Int64Node,
  IntNode,
  Json,
  JsonNode,
  LiteralNode,
  MapNode,
  Node,
  NothingNode,
  NullableNode,
  ObjectNode,
  OptionalNode,
  RefineNode,
  RefNode,
  Schema,
  Shape,
  ShapeInput,
  ShapeOutput,
  StringNode,
  TaggedInput,
  TaggedNode,
  TaggedOutput,
  TimestampNode,
  TupleNode,
} from "./nodes.ts";
export { t } from "./t.ts";
export { isPlain } from "./walk-schema.ts";
export type { BinaryFormat, BinaryLibrary, FormFormat, Format } from "./wire-format.ts";
export { jsonSchema, jsonSchemaRefs, type JsonSchema, type JsonSchemaRefs } from "./json-schema.ts";
