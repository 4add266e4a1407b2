/**
 * A stream over WebSocket, for where Server-Sent Events do not get through or connections are few. One socket for each
 * subscription. A browser's WebSocket cannot be told to wait, so what arrives faster than it is read is bounded.
 */
import { bearerProtocol, closeCodes, lastEventIdKey, socketProtocol, type ServerMessage } from "../contract/index.ts";
import { reasonOf, type RequestParts } from "./send-call.ts";
import type { LinkStep, OpenLink, StreamLink } from "./stream-link.ts";
import type { WebSocketConstructor, WebSocketLike } from "./web-socket-like.ts";
import { NetworkError, Timeout, UnexpectedResponse, bounded } from "./transport-faults.ts";

export interface SocketCall extends RequestParts {
  readonly webSocket: WebSocketConstructor;
  readonly maxBytes: number;
  /** For the handshake. */
  readonly timeoutMs: number;
}

export function socketLinks(call: SocketCall): OpenLink {
  return async (lastEventId) => {
    const { settings, encoded, webSocket, timeoutMs } = call;
    try {
      const { auth } = settings.options;
      const token = typeof auth === "function" ? await auth() : auth;
      const protocols = token === undefined ? [socketProtocol] : [socketProtocol, bearerProtocol + base64url(token)];
      const resume = lastEventId === undefined ? "" : `${lastEventIdKey}=${encodeURIComponent(lastEventId)}`;
      const target = encoded.target + (resume === "" ? "" : (encoded.target.includes("?") ? "&" : "?") + resume);
      const link = new SocketLink(new webSocket(socketUrl(settings.base + target), protocols), call.maxBytes);
      const timer = settings.clock.setTimer(timeoutMs, () => link.giveUp(Timeout({ timeoutMs })));
      await link.opened;
      timer.cancel();
      return link;
    } catch (thrown) {
      return { refused: NetworkError({ reason: bounded(reasonOf(thrown)) }), retryMs: undefined };
    }
  };
}

function socketUrl(url: string): string {
  const origin = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  return new URL(url, origin).href.replace(/^http/, "ws");
}

function base64url(token: string): string {
  return btoa(token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

class SocketLink implements StreamLink {
  retryMs: number | undefined;
  /** Settles when the handshake is over, one way or the other. */
  readonly opened: Promise<void>;
  readonly #settle: () => void;
  readonly #socket: WebSocketLike;
  readonly #maxBytes: number;
  #steps: { readonly step: LinkStep; readonly length: number }[] = [];
  #length = 0;
  #last: LinkStep | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: WebSocketLike, maxBytes: number) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    this.#settle = resolve;
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("error", () => undefined);
    socket.addEventListener("close", ({ code, reason }) => {
      this.#end(stepOfClose(code, reason));
    });
  }

  async next(): Promise<LinkStep> {
    for (;;) {
      const first = this.#steps.shift();
      if (first !== undefined) {
        this.#length -= first.length;
        return first.step;
      }
      if (this.#last !== undefined) return this.#last;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    this.#end({ type: "moved" });
    this.#socket.close();
  }

  giveUp(fault: (LinkStep & { type: "broken" })["fault"]): void {
    this.#end({ type: "broken", fault });
    this.#socket.close();
  }

  #received(data: unknown): void {
    if (this.#last !== undefined) return;
    if (typeof data !== "string") return this.#unexpected("a message that is no text");
    if (data.length > this.#maxBytes || this.#length > this.#maxBytes)
      return this.#unexpected(`more than ${this.#maxBytes} characters wait to be read`);
    let message: ServerMessage;
    try {
      message = JSON.parse(data) as ServerMessage;
    } catch {
      return this.#unexpected("a message that is no JSON");
    }
    const step = this.#stepOf(message);
    if (step === undefined) return;
    this.#length += data.length;
    this.#steps.push({ step, length: data.length });
    this.#wakeUp();
  }

  /** Undefined for a kind of message that this version does not know. */
  #stepOf(message: ServerMessage): LinkStep | undefined {
    switch (message.type) {
      case "item":
        return { type: "item", json: JSON.stringify(message.item), id: message.id };
      case "end":
        return { type: "end" };
      case "fault":
        this.retryMs = typeof message.retryMs === "number" ? message.retryMs : undefined;
        return { type: "fault", problem: JSON.stringify(message.fault) };
      default:
        return undefined;
    }
  }

  #unexpected(reason: string): void {
    this.giveUp(UnexpectedResponse({ status: 101, reason }));
  }

  #end(last: LinkStep): void {
    this.#last ??= last;
    this.#settle();
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function stepOfClose(code: number, reason: string): LinkStep {
  if (code === closeCodes.goingAway || code === closeCodes.tryAgainLater) return { type: "moved" };
  return {
    type: "broken",
    fault: NetworkError({ reason: bounded(`the socket closed with ${code} ${reason}`.trim()) }),
  };
}
