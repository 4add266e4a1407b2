/** Floor 3: HTTP. Carriers (the engine, fetch) on one side of the exchange, the app's routes on the other. */
export type { HttpHandler, HttpRequest, HttpResponse } from "./exchange.ts";
export { HeaderBlock } from "./header-block.ts";
export { createHttpHandler, type ExtraRoute, type HttpHandlerOptions } from "./handler.ts";
export { createFetch } from "./fetch.ts";
export { ProblemWriter, problemPath } from "./problem.ts";
export { loadEngine } from "./load-engine.ts";
export type { Engine, EngineLimits, EngineOptions } from "./engine/index.ts";
