/**
 * The messages of the WebSocket subprotocol `tensile.v1.json`. Each is one text message with one JSON object. `stream` tells the
 * subscriptions of one socket apart: 0 is the one that the handshake's URL names, the others are the client's own numbers.
 */

export const socketProtocol = "tensile.v1.json";

/**
 * A browser's WebSocket can set no header. A client offers its token as a second subprotocol: this prefix and the token in
 * base64url. The server reads it as `Authorization: Bearer …` and never selects it.
 */
export const bearerProtocol = "tensile.bearer.";

/** What a client says. */
export type ClientMessage =
  | {
      readonly type: "subscribe";
      /** 1 to 2,147,483,647; none that is open. */
      readonly stream: number;
      readonly operation: string;
      /** As JSON. Absent: no input. */
      readonly input?: unknown;
      readonly lastEventId?: string;
    }
  | { readonly type: "unsubscribe"; readonly stream: number };

/** What a server says. `end` and `fault` are the last words of their stream; after the last words of the last one it closes. */
export type ServerMessage =
  | { readonly type: "item"; readonly stream: number; readonly id?: string; readonly item: unknown }
  | { readonly type: "end"; readonly stream: number }
  | {
      readonly type: "fault";
      readonly stream: number;
      /** An RFC 9457 problem, as HTTP would have answered it. */
      readonly fault: unknown;
      /** When to come back, where that may help. */
      readonly retryMs?: number;
    };

/** RFC 6455 section 7.4.1 and the registry that it opened. */
export const closeCodes = Object.freeze({
  /** Every stream has ended. */
  normal: 1000,
  /** The server drains: come back. */
  goingAway: 1001,
  /** Binary messages. */
  unsupportedData: 1003,
  /** Too many messages, or one that this protocol does not know. */
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
  /** As many streams as there may be, or something else that passes. */
  tryAgainLater: 1013,
});
