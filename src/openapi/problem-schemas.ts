/** Faults as OpenAPI components: one schema for each code, and one response for each set of codes that share a status. */
import type { AnyFaultType } from "../contract/index.ts";
import { kinds } from "../core/index.ts";
import { problemPath } from "../http/index.ts";
import { jsonSchema, type JsonSchema, type JsonSchemaRefs } from "../schema/index.ts";

type Named = { [name: string]: JsonSchema };

export class Problems {
  readonly #refs: JsonSchemaRefs;
  readonly #types = new Map<string, AnyFaultType>();
  readonly #schemas: Named = {};
  readonly #responses: Named = {};
  readonly #written = new WeakMap<readonly AnyFaultType[], Named>();

  constructor(refs: JsonSchemaRefs) {
    this.#refs = refs;
  }

  /** The `responses` of an operation for its failures, by status. One list of faults is written once. */
  responses(faults: readonly AnyFaultType[]): Named {
    let written = this.#written.get(faults);
    if (written === undefined) this.#written.set(faults, (written = this.#write(faults)));
    return written;
  }

  #write(faults: readonly AnyFaultType[]): Named {
    const byStatus = new Map<number, AnyFaultType[]>();
    for (const fault of faults) {
      const { http } = kinds[fault.kind];
      byStatus.set(http, [...(byStatus.get(http) ?? []), fault]);
    }
    const responses: Named = {};
    for (const [status, types] of [...byStatus].toSorted(([a], [b]) => a - b))
      responses[String(status)] = this.#response(status, types);
    return responses;
  }

  components(): { readonly schemas: Named; readonly responses: Named } {
    for (const name of Object.keys(this.#schemas)) {
      if (Object.hasOwn(this.#refs.defs, name)) {
        throw new TypeError(
          `A type is named "${name}", which OpenAPI needs for a fault of that name. Rename the type.`,
        );
      }
    }
    return { schemas: this.#schemas, responses: this.#responses };
  }

  #response(status: number, types: readonly AnyFaultType[]): JsonSchema {
    const sorted = types.toSorted((a, b) => (a.code < b.code ? -1 : 1));
    const name = sorted.map(({ code }) => pascal(code)).join("Or");
    // Asked for every time: it also finds two declarations of one code.
    const schema = this.#union(sorted);
    this.#responses[name] ??= {
      description: sorted
        .map(({ code, kind, description }) => `\`${code}\`: ${description ?? kinds[kind].title}`)
        .join("\n\n"),
      ...headersOf(status),
      content: { "application/problem+json": { schema } },
    };
    return { $ref: `#/components/responses/${name}` };
  }

  #union(types: readonly AnyFaultType[]): JsonSchema {
    const references = types.map((type) => this.#reference(type));
    if (references.length === 1) return { $ref: references[0] };
    return {
      oneOf: references.map(($ref) => ({ $ref })),
      discriminator: {
        propertyName: "code",
        mapping: Object.fromEntries(types.map(({ code }, at) => [code, references[at]])),
      },
    };
  }

  #reference(type: AnyFaultType): string {
    const known = this.#types.get(type.code);
    if (known !== undefined && known !== type) {
      throw new TypeError(
        `Two different faults have the code ${type.code}. A code means one thing in a contract: share the declaration or rename one.`,
      );
    }
    const name = `${pascal(type.code)}Problem`;
    if (known === undefined) {
      this.#types.set(type.code, type);
      this.#schemas[name] = this.#schema(type);
    }
    return `#/components/schemas/${name}`;
  }

  /** As problem.ts writes it. */
  #schema({ code, kind, schema, description }: AnyFaultType): JsonSchema {
    const { http, title, retryable } = kinds[kind];
    const data =
      schema.fields.length === 0 ? undefined : jsonSchema(schema, { io: "output", refs: this.#refs, foreign: "any" });
    return {
      type: "object",
      ...(description === undefined ? {} : { description }),
      properties: {
        type: { type: "string", const: problemPath + code },
        title: { type: "string", const: title },
        status: { type: "integer", const: http },
        code: { type: "string", const: code },
        detail: { type: "string", description: "A sentence for people." },
        ...(data === undefined ? {} : { data }),
      },
      required: ["type", "title", "status", "code", "detail", ...(data === undefined ? [] : ["data"])],
      "x-kind": kind,
      "x-retryable": retryable,
    };
  }
}

function headersOf(status: number): JsonSchema {
  if (status === 401) return { headers: { "WWW-Authenticate": { schema: { type: "string" } } } };
  if (status !== 429 && status !== 503) return {};
  return { headers: { "Retry-After": { description: "Seconds.", schema: { type: "integer", minimum: 0 } } } };
}

function pascal(code: string): string {
  return code.toLowerCase().replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
