/** The id that stands in logs, traces and answers for one request: whose it is, what it is called, how it is made. */
import { middleware, type Middleware } from "../contract/index.ts";
import { isPromiseLike } from "../core/index.ts";
import { RequestView, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { checkNames, checkTokens } from "./options.ts";

export interface RequestIdOptions {
  /** Read from requests and written to answers. Default `x-request-id`. */
  readonly header?: string;
  /**
   * Whether a request's own id counts, when it is 1 to 128 visible ASCII characters. Default true; false where clients reach this
   * server directly and ids must be unique.
   */
  readonly trust?: boolean | ((request: HttpRequest) => boolean);
  /** Default: a random UUID. */
  readonly generate?: () => string;
}

const sane = /^[\x21-\x7e]{1,128}$/;
const ownName = "x-request-id";

/**
 * Puts the id on every answer. Without it a request's own id is taken over, and an answer has one when it is a problem or when
 * something looked at it.
 *
 * @throws TypeError for a header that is no name. An id of `generate` that is not 1 to 128 visible ASCII characters is a defect.
 * @example
 * const app = implement(atlas, { middleware: [requestId({ header: "x-correlation-id", trust: false })], handlers });
 */
export function requestId(options: RequestIdOptions = {}): Middleware {
  checkNames("requestId", options, ["header", "trust", "generate"]);
  const { trust = true, generate = () => crypto.randomUUID() } = options;
  const name = (options.header ?? ownName).toLowerCase();
  checkTokens("requestId", "header", [name]);
  const idOf = (request: HttpRequest): string => {
    const given = request.header(name);
    const trusted = given !== undefined && sane.test(given) && (typeof trust === "function" ? trust(request) : trust);
    if (trusted) return given;
    const made = generate();
    if (!sane.test(made))
      throw new TypeError("requestId(): generate() must return 1 to 128 visible ASCII characters, without spaces.");
    return made;
  };
  const named = (response: HttpResponse, id: string): HttpResponse => {
    if (response.headers.get(name) !== undefined) return response;
    return { ...response, headers: response.headers.without(ownName).with(name, id) };
  };
  return middleware({
    wire: (next) => (request) => {
      const id = idOf(request);
      if (request.notes !== undefined) request.notes.requestId = id;
      const response = next(new NamedRequest(request, id));
      return isPromiseLike(response) ? response.then((settled) => named(settled, id)) : named(response, id);
    },
  });
}

/** Further in, the id is read from the header that everybody knows. */
class NamedRequest extends RequestView {
  readonly #id: string;

  constructor(request: HttpRequest, id: string) {
    super(request);
    this.#id = id;
  }

  override header(name: string): string | undefined {
    return name === ownName ? this.#id : super.header(name);
  }

  override headerPairs(): readonly string[] {
    const pairs = super.headerPairs();
    return [...pairs.filter((_, i) => pairs[i - (i % 2)] !== ownName), ownName, this.#id];
  }
}
