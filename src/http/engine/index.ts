/** The HTTP/1.1 carrier: bytes on node:net sockets to HttpRequest, HttpResponse to bytes. */
export { createEngine, type DrainOutcome, type Engine, type EngineOptions, type EngineStats } from "./engine.ts";
export type { EngineDefect } from "./connection-host.ts";
export { engineLimits, type EngineLimits } from "./limits.ts";
export type { ReadMode } from "./socket-wire.ts";
export type { EngineAddress, ListenFault, ListenOptions } from "./listening.ts";
export { tlsUnusable, type EngineTls, type TlsFault, type TlsIdentity } from "./tls.ts";
export type { Http2Limits } from "./h2/index.ts";
