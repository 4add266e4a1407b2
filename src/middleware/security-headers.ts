/**
 * Header fields that tell browsers to be careful with what this server answers. The values are those that OWASP names for APIs; an
 * answer that says something itself (`reply.set(…)`, a static file, the docs page) keeps it.
 *
 * Sources: https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html,
 * https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html, RFC 6797
 */
import { middleware, type Middleware } from "../contract/index.ts";
import { isPromiseLike, type Duration } from "../core/index.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { checkNames, wholeSeconds } from "./options.ts";

export interface HstsOptions {
  /** Default 365 days. Browsers refuse plain HTTP to this host for so long: begin with minutes. */
  readonly maxAge?: Duration;
  /** Default false: whether every subdomain has TLS is not known here. */
  readonly includeSubDomains?: boolean;
  /** Asks browser makers to ship the rule. Needs `includeSubDomains`; hard to take back. Default false. */
  readonly preload?: boolean;
}

/** Each is a value to send, or false for none. */
export interface SecurityHeadersOptions {
  /** Of everything but HTML. Default `default-src 'none'; frame-ancestors 'none'`: nothing that an API answers is a page. */
  readonly contentSecurityPolicy?: string | false;
  /** Of HTML. Default: only what comes from the same origin, no inline scripts, no foreign frames around it. */
  readonly documentSecurityPolicy?: string | false;
  /** Default `DENY`, and `SAMEORIGIN` for HTML: for browsers that do not know `frame-ancestors`. */
  readonly frameOptions?: "DENY" | "SAMEORIGIN" | false;
  /** Default `no-referrer`. */
  readonly referrerPolicy?: string | false;
  /** Default `same-origin`. */
  readonly crossOriginOpenerPolicy?: string | false;
  /** Default `same-origin`: pages of other sites cannot embed it. What `cors` allows is not touched by it. */
  readonly crossOriginResourcePolicy?: string | false;
  /** Default none. */
  readonly permissionsPolicy?: string | false;
  /** `x-content-type-options`. Default `nosniff`. */
  readonly contentTypeOptions?: "nosniff" | false;
  /**
   * Sent only over TLS: where this process ends it, or where a proxy says `x-forwarded-proto: https` (browsers ignore it in plain HTTP,
   * so a client that lies fools only itself).
   */
  readonly hsts?: HstsOptions | false;
}

const names = [
  "contentSecurityPolicy",
  "documentSecurityPolicy",
  "frameOptions",
  "referrerPolicy",
  "crossOriginOpenerPolicy",
  "crossOriginResourcePolicy",
  "permissionsPolicy",
  "contentTypeOptions",
  "hsts",
];
const apiPolicy = "default-src 'none'; frame-ancestors 'none'";
const documentPolicy =
  "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'";

/**
 * Puts them on every answer, problems and files too.
 *
 * @throws TypeError for a value that HTTP cannot carry, or a wrong `hsts`.
 * @example
 * const app = implement(atlas, { middleware: [securityHeaders({ hsts: { maxAge: "1d" } })], handlers });
 */
export function securityHeaders(options: SecurityHeadersOptions = {}): Middleware {
  checkNames("securityHeaders", options, names);
  const { hsts = {} } = options;
  const shared: readonly (readonly [string, string | false])[] = [
    ["x-content-type-options", options.contentTypeOptions ?? "nosniff"],
    ["referrer-policy", options.referrerPolicy ?? "no-referrer"],
    ["cross-origin-opener-policy", options.crossOriginOpenerPolicy ?? "same-origin"],
    ["cross-origin-resource-policy", options.crossOriginResourcePolicy ?? "same-origin"],
    ["permissions-policy", options.permissionsPolicy ?? false],
  ];
  const kinds = {
    api: new MissingFields([
      ...shared,
      ["content-security-policy", options.contentSecurityPolicy ?? apiPolicy],
      ["x-frame-options", options.frameOptions ?? "DENY"],
    ]),
    document: new MissingFields([
      ...shared,
      ["content-security-policy", options.documentSecurityPolicy ?? documentPolicy],
      ["x-frame-options", options.frameOptions ?? "SAMEORIGIN"],
    ]),
  };
  const strict = hsts === false ? undefined : new MissingFields([["strict-transport-security", hstsValue(hsts)]]);
  const guard = (request: HttpRequest, response: HttpResponse): HttpResponse => {
    const type = response.headers.get("content-type");
    let headers = (isHtml(type) ? kinds.document : kinds.api).after(response.headers);
    if (strict !== undefined && isSecure(request)) headers = strict.after(headers);
    return { ...response, headers };
  };
  return middleware({
    wire: (next) => (request) => {
      const response = next(request);
      return isPromiseLike(response) ? response.then((settled) => guard(request, settled)) : guard(request, response);
    },
  });
}

function hstsValue(hsts: HstsOptions): string {
  checkNames("securityHeaders", hsts, ["maxAge", "includeSubDomains", "preload"]);
  const { maxAge = "365d", includeSubDomains = false, preload = false } = hsts;
  if (preload && !includeSubDomains)
    throw new TypeError("securityHeaders(): hsts.preload needs includeSubDomains, or browser makers refuse the host.");
  const seconds = wholeSeconds("securityHeaders", "hsts.maxAge", maxAge);
  return `max-age=${seconds}${includeSubDomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`;
}

function isHtml(type: string | undefined): boolean {
  return type !== undefined && /^(?:text\/html|application\/xhtml\+xml|image\/svg\+xml)\b/i.test(type);
}

function isSecure(request: HttpRequest): boolean {
  return request.secure === true || request.header("x-forwarded-proto") === "https";
}

/** Fields that are added where they are not yet. A block for each set that was missing is made once: there are few such sets. */
class MissingFields {
  readonly #fields: readonly (readonly [string, string])[];
  readonly #bits: ReadonlyMap<string, number>;
  readonly #blocks = new Map<number, HeaderBlock>();

  constructor(fields: readonly (readonly [string, string | false])[]) {
    this.#fields = fields.filter((field): field is readonly [string, string] => field[1] !== false);
    this.#bits = new Map(this.#fields.map(([name], i) => [name, 1 << i]));
    // A value that HTTP cannot carry is found now.
    this.#block(0);
  }

  after(headers: HeaderBlock): HeaderBlock {
    const { pairs } = headers;
    let present = 0;
    for (let i = 0; i < pairs.length; i += 2) present |= this.#bits.get(pairs[i] as string) ?? 0;
    const block = this.#blocks.get(present) ?? this.#block(present);
    return block.wire === "" ? headers : headers.followedBy(block);
  }

  #block(present: number): HeaderBlock {
    const block = new HeaderBlock(this.#fields.filter((_, i) => (present & (1 << i)) === 0).flat());
    this.#blocks.set(present, block);
    return block;
  }
}
