/** Floor 3: HTTP. Carriers (the engine, fetch) on one side of the exchange, the app's routes on the other. */
export { HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
export { createHttpHandler, type ExtraRoute, type HttpHandlerOptions } from "./handler.ts";
export { createFetch } from "./fetch.ts";
export { loadFormats, type LoadedFormat } from "./formats.ts";
export { loadUploads } from "./uploads/load-uploads.ts";
export { ProblemWriter, problemPath } from "./problem.ts";
export {
  OverloadGate,
  resolveOverloadLimits,
  type AdmissionStats,
  type OverloadLimits,
  type Shed,
} from "./overload/index.ts";
export { loadEngine } from "./load-engine.ts";
export type {
  Engine,
  EngineLimits,
  EngineOptions,
  EngineStats,
  EngineTls,
  Http2Limits,
  ListenOptions,
  TlsFault,
  TlsIdentity,
} from "./engine/index.ts";
export { watchBody } from "./watched-body.ts";
export { loadWebSocket, type LoadedWebSocket, type WebSocketOptions } from "./streams/load-web-socket.ts";
