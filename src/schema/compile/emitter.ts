/**
 * Collects the source of generated functions. What goes into the source is made here from the schema alone: names that this file
 * counts, numbers, and texts through JSON.stringify. Everything else (regular expressions, predicates, helpers) is passed in as
 * a constant by position. Nothing that a client sent ever comes near.
 */
import type { WireForm } from "../check/walk.ts";
import type { SchemaLimits } from "../limits.ts";
import type { Node } from "../nodes.ts";

export class Emitter {
  readonly limits: SchemaLimits;
  readonly form: WireForm;
  /** Whether some value could be deeper than the limit, so that the depth must be looked at. */
  readonly checksDepth: boolean;
  readonly #constants: unknown[] = [];
  readonly #functions: string[] = [];
  readonly #names = new Map<string, Map<Node, string>>();
  #ids = 0;

  constructor(root: Node, limits: SchemaLimits, form: WireForm = "json") {
    this.limits = limits;
    this.form = form;
    this.checksDepth = height(root, new Set()) > limits.maxDepth;
  }

  /** The name under which generated code sees a value. */
  constant(value: unknown): string {
    const found = this.#constants.indexOf(value);
    return `k${found >= 0 ? found : this.#constants.push(value) - 1}`;
  }

  /** A name nobody else has. */
  fresh(prefix: string): string {
    this.#ids += 1;
    return `${prefix}${this.#ids}`;
  }

  /** The name of the function of a family for a node, written by `write` when it is first asked for. It may refer to itself. */
  functionFor(family: string, node: Node, write: () => readonly string[]): string {
    let names = this.#names.get(family);
    if (names === undefined) this.#names.set(family, (names = new Map<Node, string>()));
    let name = names.get(node);
    if (name === undefined) {
      name = this.fresh(family);
      names.set(node, name);
      this.#functions.push(`function ${name}(v, d) {\n${write().join("\n")}\n}`);
    }
    return name;
  }

  /** Runs the source. `result` is an expression over the names that were emitted. */
  build(result: string): unknown {
    const constants = this.#constants.map((_, i) => `const k${i} = K[${i}];`).join("\n");
    const source = `"use strict";\n${constants}\nlet M = 0;\n${this.#functions.join("\n")}\nreturn ${result};`;
    // oxlint-disable-next-line no-new-func -- the reason to exist of this file; see its comment for what is in the source
    return (new Function("K", source) as (constants: unknown[]) => unknown)(this.#constants);
  }
}

/** Containers inside each other at most; infinite for a schema that holds itself. */
function height(node: Node, open: Set<Node>): number {
  if (open.has(node)) return Number.POSITIVE_INFINITY;
  open.add(node);
  const most = (nodes: readonly Node[]): number => Math.max(0, ...nodes.map((one) => height(one, open)));
  const levels = (): number => {
    switch (node.kind) {
      case "object":
        return 1 + most(node.fields.map((field) => field.node));
      case "tagged":
        return most(node.variants.map((variant) => variant.node));
      case "array":
        return 1 + height(node.items, open);
      case "tuple":
        return 1 + most(node.items);
      case "map":
        return 1 + height(node.values, open);
      case "nullable":
      case "brand":
      case "refine":
        return height(node.inner, open);
      case "ref":
        return height(node.target(), open);
      default:
        return 0;
    }
  };
  const found = levels();
  open.delete(node);
  return found;
}

let allowed: boolean | undefined;

/** Whether the runtime lets code be made from text: a Content-Security-Policy or an edge runtime may forbid it. Asked once. */
export function mayGenerate(): boolean {
  if (allowed === undefined) {
    try {
      // oxlint-disable-next-line no-new-func -- the question itself
      allowed = (new Function("return 1") as () => number)() === 1;
    } catch {
      allowed = false;
    }
  }
  return allowed;
}

/** It has been allowed, and is not any more. */
export function forbidGenerating(): void {
  allowed = false;
}
