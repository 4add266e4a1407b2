/** The document and its page as routes beside those of the contract. */
import type { Contract } from "../contract/index.ts";
import { HeaderBlock, problemPath, type ExtraRoute, type HttpRequest, type HttpResponse } from "../http/index.ts";
import { docsPage, type DocsPage } from "./docs-page.ts";
import { openApiDocument, type OpenApiInfo } from "./document.ts";

export interface OpenApiRoutesOptions extends OpenApiInfo {
  /** Default `/openapi.json`. */
  readonly documentPath?: string;
  /** Default `/docs`; false: no page. */
  readonly docsPath?: string | false;
}

/**
 * `GET /openapi.json`, `GET /docs`, and `GET /problems/{code}`, which leads from a problem's `type` to its place on the page.
 *
 * @throws TypeError as `openApiDocument` does.
 * @example
 * const handler = createHttpHandler(app, { extraRoutes: openApiRoutes(atlas, { title: "Atlas" }) });
 */
export function openApiRoutes(contract: Contract, options: OpenApiRoutesOptions = {}): readonly ExtraRoute[] {
  const { documentPath = "/openapi.json", docsPath = "/docs", ...info } = options;
  const document = openApiDocument(contract, info);
  const answer: HttpResponse = { status: 200, headers: documentHeaders, body: JSON.stringify(document) };
  const routes: ExtraRoute[] = [{ method: "GET", path: documentPath, handle: () => answer }];
  if (docsPath === false) return routes;
  // Made when somebody looks at it for the first time.
  let page: Promise<HttpResponse> | undefined;
  const handle = (): Promise<HttpResponse> => (page ??= docsPage(documentPath, document.servers).then(pageResponse));
  routes.push({ method: "GET", path: docsPath, handle });
  // A contract about problems keeps its own paths; then a type leads nowhere, which RFC 9457 allows.
  const taken = Object.keys(document.paths).some((path) => path.startsWith(problemPath));
  if (!taken)
    routes.push({ method: "GET", path: `${problemPath}{code}`, handle: (request) => toPage(docsPath, request) });
  return routes;
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
