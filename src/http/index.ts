/** Floor 3: HTTP. Carriers (the engine, fetch) on one side of the exchange, the app's routes on the other. */
export type { BodyFault, HttpHandler, HttpRequest, HttpResponse } from "./exchange.ts";
export { HeaderBlock } from "./header-block.ts";
export { createHttpHandler, type ExtraRoute, type HttpHandlerOptions } from "./handler.ts";
export { createFetch, type Fetch } from "./fetch.ts";
export { problemPath } from "./problem.ts";
export { loadEngine } from "./load-engine.ts";
export type {
  DrainOutcome,
  Engine,
  EngineAddress,
  EngineDefect,
  EngineLimits,
  EngineOptions,
  EngineStats,
  ListenFault,
  ListenOptions,
} from "./engine/index.ts";
