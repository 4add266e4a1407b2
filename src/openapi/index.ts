/** Floor 4: the contract as an OpenAPI document, and the page that shows it. */
export { openApiDocument, type OpenApiDocument, type OpenApiInfo } from "./document.ts";
export { openApiRoutes, type OpenApiRoutesOptions } from "./routes.ts";
