/**
 * Cross-site request forgery: pages of other sites that make a user's browser send a request with the user's cookies. Browsers say
 * where a request comes from, so no token is needed.
 *
 * Sources: https://go.dev/pkg/net/http/#CrossOriginProtection (Go 1.25), whose algorithm this is, with WebSocket handshakes beside it;
 * https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html;
 * https://www.w3.org/TR/fetch-metadata/
 */
import { fault, middleware, type Middleware } from "../contract/index.ts";
import { isPromiseLike, type MaybePromise } from "../core/index.ts";
import type { HttpRequest, HttpResponse } from "../exchange/index.ts";
import { checkNames } from "./options.ts";
import { originTest, type OriginRule } from "./origins.ts";

export const CrossOriginRefused = fault("CROSS_ORIGIN_REFUSED", {
  kind: "permission_denied",
  message: "A page of another origin may not do this.",
  description: "A browser sent a request that may change something from a page of another origin.",
});

export interface CsrfOptions {
  /** Origins whose pages may: the same forms as those of `cors`. Default: none beside the server's own. */
  readonly trusted?: readonly OriginRule[];
}

/**
 * Refuses what browsers send from pages of other origins with CROSS_ORIGIN_REFUSED (403), before anything is routed. Requests that are
 * safe by their method pass (so nothing may change on a GET, which operations hold to), but for WebSocket handshakes; so does what
 * no browser sent, which is what carries neither Sec-Fetch-Site nor Origin. Browsers from before 2020 to 2023 that send no
 * Sec-Fetch-Site are judged by Origin and Host: behind a proxy that changes Host, name the server's own origin too.
 *
 * @throws TypeError for an origin that is none.
 * @example
 * const app = implement(atlas, { middleware: [csrf({ trusted: ["https://app.example"] })], handlers });
 */
export function csrf(
  options: CsrfOptions = {},
): Middleware<Record<never, never>, ReturnType<typeof CrossOriginRefused>> {
  checkNames("csrf", options, ["trusted"]);
  const isTrusted = originTest("csrf", options.trusted ?? []);
  return middleware({
    faults: [CrossOriginRefused],
    wire(next, tools) {
      const answer = (request: HttpRequest, allowed: boolean): MaybePromise<HttpResponse> =>
        allowed ? next(request) : tools.problem(request, CrossOriginRefused, CrossOriginRefused());
      return (request) => {
        const allowed = isAllowed(request, isTrusted);
        return isPromiseLike(allowed)
          ? Promise.resolve(allowed).then((settled) => answer(request, settled))
          : answer(request, allowed);
      };
    },
  });
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);

function isAllowed(
  request: HttpRequest,
  isTrusted: (origin: string, request: HttpRequest) => MaybePromise<boolean>,
): MaybePromise<boolean> {
  // A handshake is a GET, and a page may open one anywhere: what travels over it is not safe.
  if (safeMethods.has(request.method) && request.header("upgrade") === undefined) return true;
  const origin = request.header("origin");
  const site = request.header("sec-fetch-site");
  if (site === "same-origin" || site === "none") return true;
  if (origin === undefined) return site === undefined;
  if (site === undefined && isOwn(origin, request.header("host"))) return true;
  return isTrusted(origin, request);
}

/** The scheme is not compared: whether a proxy ended TLS is not known here. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
