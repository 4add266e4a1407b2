/** Floor 3: the typed client of a contract. Imports nothing of Node. */
export { createClient, type Client } from "./client.ts";
export type { CallOptions, ClientOptions, ClientRetry, ClientTracing, SubscribeOptions } from "./client-options.ts";
export { Aborted, NetworkError, Timeout, UnexpectedResponse, type TransportFault } from "./transport-faults.ts";
export type { WebSocketConstructor, WebSocketLike } from "./web-socket-like.ts";
