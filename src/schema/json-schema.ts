/** JSON Schema 2020-12 of a node. */
import type { Node } from "./nodes.ts";
export interface JsonSchemaOptions { readonly io: "input" | "output"; readonly target: "draft-2020-12" }
export function jsonSchema(_node: Node, _options: JsonSchemaOptions): Record<string, unknown> {
  throw new TypeError("under construction");
}
