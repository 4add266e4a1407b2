/** The HTTP/1.1 carrier: bytes on node:net sockets to HttpRequest, HttpResponse to bytes. */
export {
  createEngine,
  type DrainOutcome,
  type Engine,
  type EngineAddress,
  type EngineOptions,
  type EngineStats,
  type ListenFault,
  type ListenOptions,
} from "./engine.ts";
export type { EngineDefect } from "./connection-host.ts";
export { engineLimits, type EngineLimits } from "./limits.ts";
export type { ReadMode } from "./socket-wire.ts";
