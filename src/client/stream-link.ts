/** One connection that carries a stream: what SSE and WebSocket have in common. */
import type { Fault } from "../core/index.ts";

/**
 * - `item`, `fault`: their JSON text.
 * - `end`: the stream is complete.
 * - `moved`: it ended in a way that asks to come back.
 * - `broken`: why nothing more can come.
 */
export type LinkStep =
  | { readonly type: "item"; readonly json: string; readonly id: string | undefined }
  | { readonly type: "fault"; readonly problem: string }
  | { readonly type: "end" }
  | { readonly type: "moved" }
  | { readonly type: "broken"; readonly fault: Fault };

export interface StreamLink {
  /** The next step. Never rejects. */
  next(): Promise<LinkStep>;
  /** After which time the server wants the client back, where it has said so. */
  readonly retryMs: number | undefined;
  /** Safe to call twice. */
  close(): void;
}

/** Connects, to go on after `lastEventId`. A fault: no stream came, and when to try again where the server said. Never rejects. */
export type OpenLink = (
  lastEventId: string | undefined,
) => Promise<StreamLink | { readonly refused: Fault; readonly retryMs: number | undefined } | "complete">;
