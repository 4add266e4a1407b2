/** WebSocket needs Node and the package `ws`: both are loaded when somebody switches it on. */
import type { HttpResponse, HttpRequest } from "../../exchange/index.ts";
import type { Clock, Fault, MaybePromise, Result, Timeouts } from "../../core/index.ts";
import type { Principal, StreamLimits, StreamIncoming } from "../../contract/index.ts";
import type { EncodedStream } from "./encoded-stream.ts";
import { checkOrigins, type AllowedOrigins } from "./origin.ts";
import type { SocketCall } from "./socket-call.ts";

export interface WebSocketOptions {
  /**
   * Whose pages may connect. Default `same`: those of the host that they connect to. A list adds origins to that; `any` is for APIs
   * that know callers by tokens alone, never by cookies. Clients that are no browsers send no Origin and are let in.
   */
  readonly origins?: AllowedOrigins;
}

/** One subscription, as its sockets use it. */
export interface SocketRoute {
  readonly operation: string;
  admitAs(auth: Principal | undefined, call: SocketCall): MaybePromise<Result<Principal | undefined, Fault>>;
  /** The input, from the handshake's URL. */
  decode(call: SocketCall, captures: readonly string[], query: string): Promise<Result<unknown, Fault>>;
  /** The input, from a message. */
  decodeWire(wire: unknown): Promise<Result<unknown, Fault>>;
  open(call: StreamIncoming, auth: Principal | undefined, input: unknown): Promise<Result<EncodedStream, Fault>>;
  lastWords(fault: Fault, requestId: string): { readonly json: string; readonly retryMs: number | undefined };
}

export interface SocketServices {
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly heartbeats: Timeouts;
  readonly newRequestId: () => string;
  isDraining(): boolean;
}

/** A handshake that was let in. */
export interface Handshake {
  readonly route: SocketRoute;
  readonly call: SocketCall;
  readonly auth: Principal | undefined;
  readonly captures: readonly string[];
  readonly query: string;
}

export interface SocketFace {
  isAllowed(request: HttpRequest): boolean;
  /** Every subscription that a message may name. */
  addRoute(route: SocketRoute): void;
  answer(handshake: Handshake): HttpResponse;
}

export interface LoadedWebSocket {
  face(services: SocketServices): SocketFace;
}

/**
 * @throws TypeError for an origin that is none, and an Error that says what to install when `ws` is missing.
 * @example
 * const handler = createHttpHandler(app, { webSocket: await loadWebSocket({ origins: ["https://app.example.org"] }) });
 */
export async function loadWebSocket(options: WebSocketOptions = {}): Promise<LoadedWebSocket> {
  const { origins = "same" } = options;
  checkOrigins(origins);
  let ws: typeof import("ws");
  try {
    ws = await import("ws");
  } catch (cause) {
    throw new Error('webSocket needs the package "ws". Install it: npm install ws', { cause });
  }
  const { WsFace } = await import("./ws-face.ts");
  return { face: (services) => new WsFace(ws.WebSocketServer, origins, services) };
}
