/**
 * `t` nodes as Standard Schemas (https://standardschema.dev), so that other libraries take them.
 *
 * `validate` accepts each value in either form: the wire's, since whoever validates a parsed body has that, and the program's,
 * which is what the Input type says. The JSON Schemas are of the wire form.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { Result } from "../core/index.ts";
import { decodeNode } from "./check.ts";
import type { Invalid } from "./issues.ts";
import { jsonSchema } from "./json-schema.ts";
import { defaultLimits } from "./limits.ts";
import { toNode } from "./make-node.ts";
import type { FieldNode } from "./nodes.ts";

export function standardOf(
  node: FieldNode,
): StandardSchemaV1.Props<unknown, unknown> & StandardJSONSchemaV1.Props<unknown, unknown> {
  return {
    version: 1,
    vendor: "tensile",
    validate(value) {
      const result = decodeNode(toNode(node), value, defaultLimits, true);
      return result instanceof Promise ? result.then(standardResult) : standardResult(result);
    },
    jsonSchema: {
      input: (options) => jsonSchemaFor(node, "input", options.target),
      output: (options) => jsonSchemaFor(node, "output", options.target),
    },
  };
}

function standardResult(result: Result<unknown, Invalid>): StandardSchemaV1.Result<unknown> {
  return result.ok
    ? { value: result.value }
    : { issues: result.fault.issues.map(({ message, path }) => ({ message, path })) };
}

function jsonSchemaFor(node: FieldNode, io: "input" | "output", target: string): Record<string, unknown> {
  if (target !== "draft-2020-12") throw new TypeError(`t writes JSON Schema draft-2020-12 only, not "${target}".`);
  return jsonSchema(toNode(node), { io, target });
}
