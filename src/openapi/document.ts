/**
 * OpenAPI 3.1 of a contract: derived, never written by hand, so that it cannot tell another story than the server. Where fields
 * travel comes from the same plan that the codecs use; the failures are the declared ones and those of the framework that the
 * operation can really answer (the rule is in fault-rules.ts).
 *
 * Source: https://spec.openapis.org/oas/v3.1.1.html
 */
import { httpPlan, type Contract, type HttpPlan } from "../contract/index.ts";
import { jsonSchemaRefs, type Format, type JsonSchema } from "../schema/index.ts";
import { AnswerableFaults, hasCallers } from "./fault-rules.ts";
import { callerScheme, writeOperation, type CaptureNames, type DocumentWriter } from "./operation-object.ts";
import { Problems } from "./problem-schemas.ts";

export interface OpenApiInfo {
  /** Default: the contract's name without its version. */
  readonly title?: string;
  /** Of the API, not of OpenAPI. Default: from the contract's name, `atlas.v2` gives `2.0.0`; else `1.0.0`. */
  readonly version?: string;
  /** Markdown. */
  readonly description?: string;
  readonly license?: { readonly name: string; readonly identifier?: string; readonly url?: string };
  readonly contact?: { readonly name?: string; readonly url?: string; readonly email?: string };
  /** Default: `/`, the origin that the document came from. */
  readonly servers?: readonly { readonly url: string; readonly description?: string }[];
  /** Descriptions of the tags that operations carry. */
  readonly tags?: { readonly [tag: string]: string };
  /** What the server speaks beside JSON, as in `implement({ formats })`. `serve` fills it in. */
  readonly formats?: readonly Format[];
  /** How callers authenticate: an OpenAPI Security Scheme Object. Default: HTTP bearer. */
  readonly securityScheme?: { readonly type: string; readonly [keyword: string]: unknown };
}

/** A JSON value: what `JSON.stringify` writes as `openapi.json`. */
export interface OpenApiDocument {
  readonly openapi: "3.1.1";
  readonly info: { readonly title: string; readonly version: string; readonly [keyword: string]: unknown };
  readonly servers: readonly { readonly url: string; readonly description?: string }[];
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: JsonSchema } };
  readonly components: { readonly [kind: string]: { readonly [name: string]: JsonSchema } };
}

/**
 * @throws TypeError when two different types have one name, or for a route that
 * cannot be (see `httpPlan`).
 * @example
 * const document = openApiDocument(atlas, { title: "Atlas", license: { name: "MIT", identifier: "MIT" } });
 */
export function openApiDocument(contract: Contract, info: OpenApiInfo = {}): OpenApiDocument {
  const refs = jsonSchemaRefs("#/components/schemas/");
  const authenticated = hasCallers(contract);
  const { formats = [] } = info;
  const writer: DocumentWriter = { refs, problems: new Problems(refs), authenticated, formats };
  const paths: { [path: string]: { [method: string]: JsonSchema } } = {};
  const keys = new PathKeys();
  const answerable = new AnswerableFaults(contract, authenticated);
  for (const operation of contract.operations) {
    const plan = httpPlan(operation);
    const { key, names } = keys.of(plan);
    const faults = answerable.of(plan);
    try {
      (paths[key] ??= {})[plan.method.toLowerCase()] = writeOperation(plan, faults, names, writer);
    } catch (cause) {
      throw new TypeError(`${operation.type}("${operation.name}"): ${(cause as Error).message}`, { cause });
    }
  }
  const { schemas, responses } = writer.problems.components();
  return {
    openapi: "3.1.1",
    info: infoObject(contract.name, info),
    servers: serversOf(info),
    tags: tagObjects(contract, info.tags ?? {}),
    paths,
    components: {
      schemas: { ...refs.defs, ...schemas },
      responses,
      ...(authenticated ? { securitySchemes: { [callerScheme]: info.securityScheme ?? bearer } } : {}),
    },
  };
}

export function serversOf({ servers }: OpenApiInfo): OpenApiDocument["servers"] {
  return servers ?? [{ url: "/" }];
}

const bearer = { type: "http", scheme: "bearer" };

function infoObject(contractName: string, info: OpenApiInfo): OpenApiDocument["info"] {
  const [name = "", version] = contractName.split(".v");
  const { title = name, description, license, contact } = info;
  return {
    title,
    version: info.version ?? `${version ?? "1"}.0.0`,
    ...(description === undefined ? {} : { description }),
    ...(contact === undefined ? {} : { contact }),
    ...(license === undefined ? {} : { license }),
  };
}

function tagObjects(contract: Contract, descriptions: { readonly [tag: string]: string }): OpenApiDocument["tags"] {
  const used = new Set(contract.operations.flatMap((operation) => operation.options.tags ?? []));
  return [...used].map((name) => {
    const description = descriptions[name];
    return description === undefined ? { name } : { name, description };
  });
}

/**
 * Templates that differ in the names of their captures alone are one path in OpenAPI; the router allows them under different
 * methods. The first one's names stand for all.
 */
class PathKeys {
  readonly #known = new Map<string, KnownPath>();

  of(plan: HttpPlan): { readonly key: string; readonly names: CaptureNames } {
    const shape = plan.path.replace(captures, "{}");
    const known = this.#known.get(shape);
    // A capture and a tail at one place, under one method, are two routes here and cannot be told apart in OpenAPI: each keeps its names.
    if (known !== undefined && !known.methods.includes(plan.method)) {
      known.methods.push(plan.method);
      const own = captureNames(plan);
      return { key: known.key, names: new Map(own.map((name, at) => [name, known.captures[at] as string])) };
    }
    const key = plan.path.replace("{*", "{");
    if (known === undefined) this.#known.set(shape, { key, captures: captureNames(plan), methods: [plan.method] });
    return { key, names: undefined };
  }
}

interface KnownPath {
  readonly key: string;
  readonly captures: readonly string[];
  readonly methods: string[];
}

const captures = /\{[^}]*\}/g;

function captureNames({ parts }: HttpPlan): readonly string[] {
  const names: string[] = [];
  for (const part of parts) if (part.kind !== "literal") names.push(part.name);
  return names;
}
