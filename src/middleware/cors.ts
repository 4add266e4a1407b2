/**
 * Cross-origin resource sharing: which pages of other origins may read what this server answers.
 *
 * Source: https://fetch.spec.whatwg.org/#http-cors-protocol, https://wicg.github.io/private-network-access/
 */
import { httpPlan, middleware, type Contract, type Middleware } from "../contract/index.ts";
import { isPromiseLike, type Duration, type MaybePromise } from "../core/index.ts";
import { HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { checkNames, checkTokens, wholeSeconds } from "./options.ts";
import { originTest, type OriginRule, type OriginTest } from "./origins.ts";

export interface CorsOptions {
  /**
   * Whose pages may read answers: `"*"` for everybody's, a list of origins, `https://*.example.com` for subdomains, anchored RegExps, or
   * a function. `null` (sandboxed frames, files) is nobody unless the list names it.
   */
  readonly origins: "*" | readonly OriginRule[] | OriginTest;
  /** Lets pages send and receive cookies. Not with `"*"`. Default false. */
  readonly credentials?: boolean;
  /** Methods that pages may use. Default: every method that some route answers. */
  readonly methods?: readonly string[];
  /** Request headers that pages may send. Default: those that Tensile and the contract's operations read. */
  readonly headers?: readonly string[];
  /** Response headers that pages may read beside the simple ones. Default: those that Tensile writes, such as `retry-after`. */
  readonly expose?: readonly string[];
  /** How long a browser may keep a preflight's answer. Browsers cap it, Chromium at 2 h. Default 10 min. */
  readonly maxAge?: Duration;
  /** Lets pages of public sites call this server in a private network. Default false. */
  readonly privateNetwork?: boolean;
}

const names = ["origins", "credentials", "methods", "headers", "expose", "maxAge", "privateNetwork"];
const readByTensile = [
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "request-timeout",
  "traceparent",
  "tracestate",
  "x-api-key",
  "x-request-id",
];
const writtenByTensile = ["etag", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"];

/**
 * Answers preflights before anything else is asked, and lets pages of the origins named read the answers. It keeps nobody from calling:
 * only browsers look at it, and what a cross-origin request may do is the matter of `csrf`.
 *
 * @throws TypeError for an origin that is none, a pattern that is not anchored, or `"*"` with credentials.
 * @example
 * const app = implement(atlas, {
 *   middleware: [cors({ origins: ["https://app.example", "https://*.preview.example"], credentials: true })],
 *   handlers,
 * });
 */
export function cors(options: CorsOptions): Middleware {
  checkNames("cors", options, names);
  const { origins, credentials = false, expose = writtenByTensile, maxAge = "10m", privateNetwork = false } = options;
  if (origins === undefined) throw new TypeError('cors(): name the origins: { origins: ["https://app.example"] }.');
  if (origins === "*" && credentials) {
    throw new TypeError(
      'cors(): with credentials every page on the web would read what your users may: name the origins instead of "*".',
    );
  }
  const isAllowed = origins === "*" ? undefined : originTest("cors", origins);
  const exposed = checkTokens("cors", "expose", expose).join(", ");
  const seconds = wholeSeconds("cors", "maxAge", maxAge);
  checkTokens("cors", "methods", options.methods ?? []);
  checkTokens("cors", "headers", options.headers ?? []);
  return middleware({
    wire(next, { contract, methods }) {
      const ends = [
        ...(credentials ? ["access-control-allow-credentials", "true"] : []),
        ...(exposed === "" ? [] : ["access-control-expose-headers", exposed]),
      ];
      const preflight = [
        ...["access-control-allow-methods", (options.methods ?? methods).join(", ")],
        ...["access-control-allow-headers", (options.headers ?? headersOf(contract)).join(", ")],
        ...["access-control-max-age", String(seconds)],
        ...(credentials ? ["access-control-allow-credentials", "true"] : []),
      ];
      const blocks = { preflight: new HeaderBlock(preflight), answer: new HeaderBlock(ends) };
      return isAllowed === undefined
        ? new OpenCors(next, blocks, privateNetwork).handler
        : new NamedCors(next, blocks, privateNetwork, isAllowed).handler;
    },
  });
}

/** The fields of the contract's operations that travel as headers are among them. */
function headersOf(contract: Contract): readonly string[] {
  const own = contract.operations.flatMap((operation) =>
    httpPlan(operation).texts.flatMap(({ place, key }) => (place === "header" ? [key.toLowerCase()] : [])),
  );
  return [...new Set([...readByTensile, ...own])];
}

interface Blocks {
  readonly preflight: HeaderBlock;
  readonly answer: HeaderBlock;
}

function isPreflight(request: HttpRequest): boolean {
  return request.method === "OPTIONS" && request.header("access-control-request-method") !== undefined;
}

const noHeaders = HeaderBlock.empty;

/** For everybody: the answer is the same whoever asks, so nothing varies. */
class OpenCors {
  readonly #next: HttpHandler;
  readonly #blocks: Blocks;
  readonly #privateNetwork: boolean;

  constructor(next: HttpHandler, blocks: Blocks, privateNetwork: boolean) {
    const star = new HeaderBlock(["access-control-allow-origin", "*"]);
    this.#next = next;
    this.#blocks = { preflight: star.followedBy(blocks.preflight), answer: star.followedBy(blocks.answer) };
    this.#privateNetwork = privateNetwork;
  }

  readonly handler: HttpHandler = (request) => {
    if (request.header("origin") !== undefined && isPreflight(request))
      return preflightAnswer(request, this.#blocks.preflight, noHeaders, this.#privateNetwork);
    const response = this.#next(request);
    return isPromiseLike(response) ? response.then((settled) => this.#open(settled)) : this.#open(response);
  };

  #open(response: HttpResponse): HttpResponse {
    return addOnce(response, this.#blocks.answer);
  }
}

const mostOriginsKept = 256;
const varyOrigin = new HeaderBlock(["vary", "origin"]);

class NamedCors {
  readonly #next: HttpHandler;
  readonly #blocks: Blocks;
  readonly #privateNetwork: boolean;
  readonly #isAllowed: OriginTest;
  /** By origin: a few pages call, again and again. */
  readonly #kept = new Map<string, Blocks>();

  constructor(next: HttpHandler, blocks: Blocks, privateNetwork: boolean, isAllowed: OriginTest) {
    this.#next = next;
    this.#blocks = blocks;
    this.#privateNetwork = privateNetwork;
    this.#isAllowed = isAllowed;
  }

  readonly handler: HttpHandler = (request) => {
    const origin = request.header("origin");
    if (origin === undefined) {
      const response = this.#next(request);
      return isPromiseLike(response) ? response.then(varied) : varied(response);
    }
    const allowed = this.#isAllowed(origin, request);
    return isPromiseLike(allowed)
      ? Promise.resolve(allowed).then((settled) => this.#answer(request, origin, settled))
      : this.#answer(request, origin, allowed);
  };

  /** `allowed` may come from plain JavaScript: only `true` lets in. */
  #answer(request: HttpRequest, origin: string, allowed: boolean): MaybePromise<HttpResponse> {
    const named = allowed === true ? this.#blocksOf(origin) : undefined;
    if (isPreflight(request)) {
      const block = named === undefined ? noHeaders : named.preflight;
      return preflightAnswer(request, block, varyOrigin, this.#privateNetwork && named !== undefined);
    }
    const response = this.#next(request);
    const open = (settled: HttpResponse): HttpResponse =>
      varied(named === undefined ? settled : addOnce(settled, named.answer));
    return isPromiseLike(response) ? response.then(open) : open(response);
  }

  #blocksOf(origin: string): Blocks {
    const known = this.#kept.get(origin);
    if (known !== undefined) return known;
    const named = new HeaderBlock(["access-control-allow-origin", origin]);
    const blocks = {
      preflight: named.followedBy(this.#blocks.preflight),
      answer: named.followedBy(this.#blocks.answer),
    };
    if (this.#kept.size < mostOriginsKept) this.#kept.set(origin, blocks);
    return blocks;
  }
}

function preflightAnswer(
  request: HttpRequest,
  block: HeaderBlock,
  vary: HeaderBlock,
  privateNetwork: boolean,
): HttpResponse {
  const asksPrivate = request.header("access-control-request-private-network") === "true";
  const headers = vary.followedBy(block);
  return {
    status: 204,
    headers: privateNetwork && asksPrivate ? headers.with("access-control-allow-private-network", "true") : headers,
    body: null,
  };
}

/** What the answer says itself comes first: two values of this field are none to a browser. */
function addOnce(response: HttpResponse, block: HeaderBlock): HttpResponse {
  const { headers } = response;
  if (headers.get("access-control-allow-origin") !== undefined) return response;
  return { ...response, headers: headers.followedBy(block) };
}

/** Also where no origin asked: a cache would hand that answer to one that does. */
function varied(response: HttpResponse): HttpResponse {
  return { ...response, headers: response.headers.varying("origin") };
}
