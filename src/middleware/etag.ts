/**
 * Validators for answers, and the conditions that clients send with them (RFC 9110 sections 8.8.3 and 13): what has not changed is
 * not sent again.
 */
import { PreconditionFailed, middleware, type Middleware, type WireTools } from "../contract/index.ts";
import { isPromiseLike, type MaybePromise } from "../core/index.ts";
import { namesTag, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { closeBody } from "./coded-body.ts";
import { checkNames, checkWhole } from "./options.ts";

export interface EtagOptions {
  /** Tags say "means the same" instead of "has the same bytes". Default false. */
  readonly weak?: boolean;
  /**
   * What takes the place of `cache-control: no-store` in answers with a tag, such as `private, no-cache`: browsers keep such an
   * answer and ask whether it still holds. Default: nothing; operations say it themselves by `reply.set("cache-control", …)`.
   */
  readonly cacheControl?: string;
  /** Longer answers get no tag. Default 1 MiB. */
  readonly maxBytes?: number;
}

/**
 * Gives every 200 of GET and HEAD a tag made of its bytes, unless it has one or is a stream, and answers If-None-Match with 304 and
 * If-Match with 412. The handler runs all the same: it saves the way, not the work. A handler that knows the version sets its own tag,
 * `reply.set("etag", '"v7"')`; of mutations it alone can say what is current: `checkIfMatch`.
 *
 * @throws TypeError for a wrong option.
 * @example
 * const app = implement(atlas, { middleware: [etag({ cacheControl: "private, no-cache" })], handlers });
 */
export function etag(
  options: EtagOptions = {},
): Middleware<Record<never, never>, ReturnType<typeof PreconditionFailed>> {
  checkNames("etag", options, ["weak", "cacheControl", "maxBytes"]);
  const { weak = false, cacheControl } = options;
  const maxBytes = checkWhole("etag", "maxBytes", options.maxBytes ?? 1024 * 1024, 0, 2 ** 30);
  const hash = hasher();
  const tag = (response: HttpResponse, digest: string): HttpResponse => {
    const { headers } = response;
    const replaces = cacheControl !== undefined && headers.get("cache-control") === "no-store";
    const kept = replaces ? headers.without("cache-control").with("cache-control", cacheControl) : headers;
    return { ...response, headers: kept.with("etag", `${weak ? "W/" : ""}"${digest}"`) };
  };
  const judge = (request: HttpRequest, response: HttpResponse, tools: WireTools): MaybePromise<HttpResponse> => {
    const { status, body, headers } = response;
    if (status !== 200 || (request.method !== "GET" && request.method !== "HEAD")) return response;
    if (headers.get("etag") !== undefined) return conditional(request, response, tools);
    const isWhole = typeof body === "string" || body instanceof Uint8Array;
    if (!isWhole || body.length > maxBytes) return response;
    const digest = hash(body);
    if (!isPromiseLike(digest)) return conditional(request, tag(response, digest), tools);
    return digest.then((settled) => conditional(request, tag(response, settled), tools));
  };
  return middleware({
    faults: [PreconditionFailed],
    wire: (next, tools) => (request) => {
      const response = next(request);
      return isPromiseLike(response)
        ? response.then((settled) => judge(request, settled, tools))
        : judge(request, response, tools);
    },
  });
}

/** RFC 9110 section 15.4.5: what describes the content goes with it. */
const ofContent = [
  "content-type",
  "content-encoding",
  "content-language",
  "content-disposition",
  "x-content-type-options",
];

/** In the order of RFC 9110 section 13.2.2. */
function conditional(request: HttpRequest, response: HttpResponse, tools: WireTools): HttpResponse {
  const tag = response.headers.get("etag") as string;
  const wanted = request.header("if-match");
  if (wanted !== undefined && !namesTag(wanted, tag, "strong")) {
    endBody(response);
    return tools.problem(request, PreconditionFailed, PreconditionFailed());
  }
  const known = request.header("if-none-match");
  if (known === undefined || !namesTag(known, tag, "weak")) return response;
  endBody(response);
  return { status: 304, headers: response.headers.without(...ofContent), body: null };
}

function endBody({ body }: HttpResponse): void {
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) closeBody(body);
}

/**
 * For a mutation: whether what it changes is still the version that the client has seen (RFC 9110 section 13.1.1), so that nobody's
 * change is lost. Ask in the same transaction that makes the change, and put PreconditionFailed among the operation's faults.
 *
 * The tags of versions are the handler's own, so `W/` is ignored: it only says that the client's copy came compressed.
 *
 * @param ifMatch The If-Match field, such as an input field that travels as that header. Undefined: the client does not mind.
 * @param version What is current, without quotes; undefined: there is nothing, which no condition fits.
 * @example
 * const update = ({ input }) => checkIfMatch(input.version, String(note.revision)) ?? save(input);
 */
export function checkIfMatch(
  ifMatch: string | undefined,
  version: string | undefined,
): ReturnType<typeof PreconditionFailed> | undefined {
  if (ifMatch === undefined) return undefined;
  const holds = version !== undefined && namesTag(ifMatch, `"${version}"`, "weak");
  return holds ? undefined : PreconditionFailed();
}

/** 132 bits of it: two different answers with one tag are not to be expected. */
const tagLength = 22;

interface NodeCrypto {
  hash(algorithm: "sha256", data: string | Uint8Array, encoding: "base64url"): string;
}

/** SHA-256 by `node:crypto` at once, or by Web Crypto. */
function hasher(): (body: string | Uint8Array) => MaybePromise<string> {
  const { process } = globalThis as { readonly process?: { getBuiltinModule?(id: string): unknown } };
  const crypto = process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined;
  if (typeof crypto?.hash === "function") return (body) => crypto.hash("sha256", body, "base64url").slice(0, tagLength);
  return webHash;
}

async function webHash(body: string | Uint8Array): Promise<string> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  const text = btoa(String.fromCharCode(...digest));
  return text.replaceAll("+", "-").replaceAll("/", "_").slice(0, tagLength);
}
