/** The handshake of a WebSocket (RFC 6455 section 4.2), by the package `ws` on the socket that the engine gives away. */
import type { IncomingMessage } from "node:http";
import type { WebSocketServer } from "ws";
import { RouteNotFound, socketProtocol, type ClientMessage } from "../../contract/index.ts";
import { Err, Timeouts, type Fault, type Result } from "../../core/index.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse, type Upgraded } from "../../exchange/index.ts";
import type { EncodedStream } from "./encoded-stream.ts";
import { takeLastEventId } from "./last-event-id.ts";
import type { Handshake, SocketFace, SocketRoute, SocketServices } from "./load-web-socket.ts";
import { isOriginAllowed, type AllowedOrigins } from "./origin.ts";
import { SocketCall } from "./socket-call.ts";
import { SocketSession, type SessionHost } from "./socket-session.ts";

/** Pieces of one message: a message that is small cannot need many. */
const mostFragments = 64;
/** How long a client may take to answer a close, in ms. */
const closeTimeout = 2_000;

/** What `ws` reads of a request, and the fields of the answer. */
interface Offer {
  readonly method: "GET";
  readonly headers: { readonly [name: string]: string | undefined };
  readonly answer: HeaderBlock;
}

const handshakeFields = [
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
];

export class WsFace implements SocketFace {
  readonly #server: WebSocketServer;
  readonly #origins: AllowedOrigins;
  readonly #services: SocketServices;
  readonly #routes = new Map<string, SocketRoute>();
  readonly #pongs: Timeouts;

  constructor(server: typeof WebSocketServer, origins: AllowedOrigins, services: SocketServices) {
    const { limits, clock } = services;
    this.#origins = origins;
    this.#services = services;
    this.#pongs = new Timeouts(clock, limits.pongMs);
    const options = {
      noServer: true,
      clientTracking: false,
      // Compression costs each socket memory that no limit counts, and a secret beside foreign text may leak through it.
      perMessageDeflate: false,
      maxPayload: limits.messageBytes,
      maxFragments: mostFragments,
      closeTimeout,
      // The session answers pings: what it sends must count as waiting for the reader.
      autoPong: false,
      // Other subprotocols alone: none is selected, and a browser then closes.
      handleProtocols: (offered: Set<string>) => (offered.has(socketProtocol) ? socketProtocol : false),
    } as const;
    this.#server = new server(options);
    this.#server.on("headers", (lines, request) => {
      // What \`handleUpgrade\` was given below comes back here.
      const { pairs } = (request as unknown as Offer).answer;
      for (let i = 0; i < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`);
    });
  }

  isAllowed(request: HttpRequest): boolean {
    return isOriginAllowed(request.header("origin"), request.header("host"), this.#origins);
  }

  addRoute(route: SocketRoute): void {
    this.#routes.set(route.operation, route);
  }

  answer(handshake: Handshake): HttpResponse {
    const { request } = handshake.call;
    // Made now: a signal that is first asked for when HTTP has let go of the connection has aborted.
    void request.signal;
    return {
      status: 101,
      headers: HeaderBlock.empty,
      body: null,
      upgrade: (socket, head, upgraded) => {
        const headers = Object.fromEntries(handshakeFields.map((name) => [name, request.header(name)]));
        const offer: Offer = { method: "GET", headers, answer: upgraded.headers };
        // `ws` reads these members of a request alone; the tests of the handshake would fail on any other.
        this.#server.handleUpgrade(offer as unknown as IncomingMessage, socket, Buffer.from(head), (webSocket) => {
          const session = new SocketSession(webSocket, this.#host(handshake));
          whenDraining(upgraded, () => session.goAway());
        });
      },
    };
  }

  #host(handshake: Handshake): SessionHost {
    const { clock, limits, heartbeats, isDraining } = this.#services;
    const { route, call } = handshake;
    return {
      clock,
      limits,
      heartbeats,
      pongs: this.#pongs,
      isDraining,
      openFirst: () => openFirst(handshake),
      open: (message) => this.#open(handshake, message),
      problem: (operation, fault) =>
        (this.#routes.get(operation ?? route.operation) ?? route).lastWords(fault, call.requestId),
    };
  }

  async #open(
    { auth, call: { request } }: Handshake,
    message: ClientMessage & { type: "subscribe" },
  ): Promise<Result<EncodedStream, Fault>> {
    const route = this.#routes.get(message.operation);
    if (route === undefined) return new Err(RouteNotFound({}, "There is no subscription of this name."));
    const call = new SocketCall(request, this.#services.newRequestId);
    call.lastEventId = message.lastEventId;
    const admitted = await route.admitAs(auth, call);
    if (!admitted.ok) return admitted;
    const input = await route.decodeWire(message.input ?? {});
    return input.ok ? route.open(call, admitted.value, input.value) : input;
  }
}

async function openFirst({ route, call, auth, captures, query }: Handshake): Promise<Result<EncodedStream, Fault>> {
  const { rest, lastEventId } = takeLastEventId(query, call.header("last-event-id"));
  call.lastEventId = lastEventId;
  const input = await route.decode(call, captures, rest);
  return input.ok ? route.open(call, auth, input.value) : input;
}

function whenDraining({ draining }: Upgraded, act: () => void): void {
  if (draining.aborted) act();
  else draining.addEventListener("abort", act, { once: true });
}
