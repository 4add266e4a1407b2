/** Calls from generated code to functions of others: predicates of `t.refine`, and foreign schemas. */
import { isPromiseLike } from "../../core/index.ts";
import { decodeNode, encodeNode } from "../check.ts";
import { foreignValue } from "../check/walk-node.ts";
import { failed, newWalk, type WireForm } from "../check/walk.ts";
import { defaultLimits, type SchemaLimits } from "../limits.ts";
import type { ForeignNode, Node, RefineNode } from "../nodes.ts";

/** A predicate on what a program gives out: asked about the decoded value, with defaults filled in, as on the way in. */
export function refineHolds(node: RefineNode, limits: SchemaLimits): (value: unknown) => boolean {
  const { inner } = node;
  const predicate = node.predicate as (value: unknown) => boolean;
  if (isWrittenAsDecoded(inner)) return predicate;
  return (value) => {
    const wire = encodeNode(inner, value, limits);
    const decoded = wire.ok ? decodeNode(inner, wire.value, limits) : wire;
    return !(decoded instanceof Promise) && decoded.ok && predicate(decoded.value);
  };
}

/** Whether encoding and decoding again gives any valid value back as it was. */
function isWrittenAsDecoded(node: Node): boolean {
  switch (node.kind) {
    case "string":
    case "int32":
    case "int":
    case "int64":
    case "float":
    case "boolean":
    case "literal":
    case "enum":
    case "bytes":
    case "timestamp":
    case "duration":
      return true;
    case "array":
      return isWrittenAsDecoded(node.items);
    case "nullable":
    case "brand":
    case "refine":
      return isWrittenAsDecoded(node.inner);
    default:
      return false;
  }
}

/** Validates by a foreign schema: the decoded value or the wire value, or `failed`, also for an answer that must be awaited. */
export function foreignReader(node: ForeignNode, to: "decoded" | "wire", form: WireForm): (value: unknown) => unknown {
  if (form === "json") return jsonForeignReader(node, to);
  // The interpreter knows what another library may be shown, and how its answer is written.
  return (value) => {
    const walk = newWalk(to, defaultLimits, false, undefined, form);
    const other = foreignValue(node, value, walk);
    for (const waiting of walk.waiting.values()) void waiting.catch(() => undefined);
    return walk.waiting.size > 0 ? failed : other;
  };
}

function jsonForeignReader(node: ForeignNode, to: "decoded" | "wire"): (value: unknown) => unknown {
  const standard = node.schema["~standard"];
  return (value) => {
    const answer = standard.validate(value);
    if (isPromiseLike(answer)) {
      // The interpreter asks again and waits; nobody waits for this one.
      void Promise.resolve(answer).catch(() => undefined);
      return failed;
    }
    if (answer.issues !== undefined) return failed;
    if (to === "decoded") return answer.value;
    const text = jsonText(answer.value);
    return typeof text === "string" ? (JSON.parse(text) as unknown) : text;
  };
}

function jsonText(value: unknown): string | undefined | typeof failed {
  try {
    return JSON.stringify(value);
  } catch {
    return failed;
  }
}
