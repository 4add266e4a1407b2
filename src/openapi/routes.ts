/** The document and its page as routes beside those of the contract. */
import type { Contract, Operation } from "../contract/index.ts";
import { HeaderBlock, problemPath, type ExtraRoute, type HttpRequest, type HttpResponse } from "../http/index.ts";
import { docsPage, type DocsPage } from "./docs-page.ts";
import { openApiDocument, serversOf, type OpenApiInfo } from "./document.ts";

export interface OpenApiRoutesOptions extends OpenApiInfo {
  /** Default `/openapi.json`. */
  readonly documentPath?: string;
  /** Default `/docs`; false: no page. */
  readonly docsPath?: string | false;
}

/** A contract with more operations than this has its document made when somebody first asks, so that it still starts in a moment. */
const madeAtStart = 200;

/**
 * `GET /openapi.json`, `GET /docs`, and `GET /problems/{code}`, which leads from a problem's `type` to its place on the page.
 *
 * With more than 200 operations the document is made at its first request: call `openApiDocument` in a test, to hear of
 * mistakes in it before anybody else does.
 *
 * @throws TypeError as `openApiDocument` does, where the document is made at start.
 * @example
 * const handler = createHttpHandler(app, { extraRoutes: openApiRoutes(atlas, { title: "Atlas" }) });
 */
export function openApiRoutes(contract: Contract, options: OpenApiRoutesOptions = {}): readonly ExtraRoute[] {
  const { documentPath = "/openapi.json", docsPath = "/docs", ...info } = options;
  let answer: HttpResponse | undefined;
  const document = (): HttpResponse => (answer ??= documentResponse(contract, info));
  if (contract.operations.length <= madeAtStart) document();
  const routes: ExtraRoute[] = [{ method: "GET", path: documentPath, handle: document }];
  if (docsPath === false) return routes;
  // Made when somebody looks at it for the first time.
  let page: Promise<HttpResponse> | undefined;
  const handle = (): Promise<HttpResponse> => (page ??= docsPage(documentPath, serversOf(info)).then(pageResponse));
  routes.push({ method: "GET", path: docsPath, handle });
  // A contract about problems keeps its own paths; then a type leads nowhere, which RFC 9457 allows.
  if (!contract.operations.some(isAboutProblems))
    routes.push({ method: "GET", path: `${problemPath}{code}`, handle: (request) => toPage(docsPath, request) });
  return routes;
}

function documentResponse(contract: Contract, info: OpenApiInfo): HttpResponse {
  return { status: 200, headers: documentHeaders, body: JSON.stringify(openApiDocument(contract, info)) };
}

/** Whether its path begins as those of problems do. */
function isAboutProblems({ options: { http } }: Operation): boolean {
  const route = typeof http === "string" ? http : http?.route;
  return route !== undefined && route.slice(route.indexOf(" ") + 1).startsWith(problemPath);
}

const documentHeaders = new HeaderBlock(
  [
    ["content-type", "application/json"],
    ["cache-control", "no-cache"],
    ["x-content-type-options", "nosniff"],
  ].flat(),
);

function pageResponse({ html, policy }: DocsPage): HttpResponse {
  const headers = [
    ["content-type", "text/html; charset=utf-8"],
    ["content-security-policy", policy],
    ["cache-control", "no-cache"],
    ["x-content-type-options", "nosniff"],
    ["referrer-policy", "no-referrer"],
    ["cross-origin-opener-policy", "same-origin"],
  ].flat();
  return { status: 200, headers: new HeaderBlock(headers), body: html };
}

const toPagePattern = /^[^?]*\/([A-Z][A-Z0-9_]{0,63})(?:\?|$)/;

function toPage(docsPath: string, { target }: HttpRequest): HttpResponse {
  const code = toPagePattern.exec(target)?.[1];
  const location = code === undefined ? docsPath : `${docsPath}#${code}`;
  return { status: 302, headers: new HeaderBlock(["location", location, "cache-control", "no-cache"]), body: null };
}
