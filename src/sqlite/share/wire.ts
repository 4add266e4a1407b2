/**
 * Frames between the processes of one file, over a Unix socket. Both sides begin with one line that names the protocol and its version; then come frames:
 *
 *   u32 bytes of the head, u32 bytes of the body, head (V8's serialization of a plain object), body (arenas or claimed jobs, as they are in protocol.ts)
 *
 *   guest -> owner                      owner -> guest
 *   hello  who it is                    welcome  the epoch, what waits
 *   batch  as in protocol.ts            refused  why it cannot join
 *   pong   it is alive                  committed, cancel, ended   as in protocol.ts
 *   close  it gives back what it runs   ping     is it alive?
 *                                       closed   what it ran is given back
 */
import type { Socket } from "node:net";
import { deserialize, serialize } from "node:v8";
import { sqliteLimits as limits } from "../limits.ts";
import type { Batch, ClaimReply, CommitReply, Notice } from "../protocol.ts";

/** A process joins only one that speaks the same. Goes up with every change of the frames, of `protocol.ts` and of `entries.ts`. */
export const shareVersion = 1;
const greeting = "tensile-sqlite ";
/** The line is complete or wrong by then. */
const greetingBytes = 32;

/** A message without its buffers, which are the body. */
export type SharedBatch = Omit<Batch, "arenas"> & { readonly arenas: readonly number[] };
type SharedClaim = Omit<ClaimReply, "bytes">;
type SharedReply = Omit<CommitReply, "arenas" | "claim"> & {
  readonly arenas: readonly never[];
  readonly claim: SharedClaim | undefined;
};

export interface Welcome {
  readonly kind: "welcome";
  readonly epoch: number;
  readonly waiting: number;
  readonly wakeAt: number;
  /** How long either may be silent. */
  readonly leaseMs: number;
}

export type FromGuest =
  | { readonly kind: "hello"; readonly pid: number; readonly migrations: number }
  | { readonly kind: "pong" }
  | { readonly kind: "close"; readonly now: number }
  | SharedBatch;

export type FromOwner =
  | Welcome
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "ping" | "closed" }
  | Notice
  | SharedReply;

/** `version`: what the other side speaks, when that is why it ended. */
export interface WireEvents<T> {
  readonly onFrame: (head: T, body: Buffer) => void;
  readonly onEnd: (reason: string, version?: number) => void;
}

/** One side of a connection. After `onEnd` nothing is heard of it. */
export class Wire<In, Out> {
  readonly #socket: Socket;
  readonly #events: WireEvents<In>;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes without which there is nothing to look at. */
  #needed = 1;
  #greeted = false;
  #ended = false;

  constructor(socket: Socket, events: WireEvents<In>) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.end(error.message));
    socket.on("close", () => this.end("the connection was closed"));
    socket.write(`${greeting}${shareVersion}\n`);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that the other side has not taken yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  send(head: Out, body: readonly Uint8Array[] = []): void {
    if (this.#ended) return;
    const text = serialize(head);
    const bytes = body.reduce((sum, part) => sum + part.length, 0);
    if (text.length + bytes > limits.sharedFrameBytes) return this.end("a message was too long");
    const sizes = Buffer.allocUnsafe(8);
    sizes.writeUInt32LE(text.length, 0);
    sizes.writeUInt32LE(bytes, 4);
    this.#socket.cork();
    this.#socket.write(sizes);
    this.#socket.write(text);
    for (const part of body) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** What was sent still arrives. */
  finish(): void {
    this.#ended = true;
    this.#socket.end(() => this.#socket.destroy());
  }

  end(reason: string, version?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#chunks = [];
    this.#socket.destroy();
    this.#events.onEnd(reason, version);
  }

  #take(chunk: Buffer): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (!this.#ended && this.#bytes >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
      const used = this.#greeted ? this.#frame(bytes) : this.#greet(bytes);
      const rest = bytes.subarray(used);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#bytes = rest.length;
      if (used === 0) return;
    }
  }

  #greet(bytes: Buffer): number {
    const end = bytes.indexOf("\n");
    const line = bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
    const wrong =
      end < 0 ? bytes.length >= greetingBytes || !greeting.startsWith(line.slice(0, greeting.length)) : false;
    if (wrong || (end >= 0 && !/^tensile-sqlite \d{1,9}$/.test(line))) {
      this.end("it does not speak the protocol");
      return 0;
    }
    if (end < 0) return 0;
    const version = Number(line.slice(greeting.length));
    if (version !== shareVersion) {
      this.end(`it speaks version ${version}`, version);
      return 0;
    }
    this.#greeted = true;
    this.#needed = 8;
    return end + 1;
  }

  #frame(bytes: Buffer): number {
    const head = bytes.readUInt32LE(0);
    const body = bytes.readUInt32LE(4);
    const total = 8 + head + body;
    if (head + body > limits.sharedFrameBytes) {
      this.end("a message was too long");
      return 0;
    }
    if (bytes.length < total) {
      this.#needed = total;
      return 0;
    }
    this.#needed = 8;
    try {
      // What the other side, of the same version and the same user, has made of its messages.
      const message = deserialize(bytes.subarray(8, 8 + head)) as In;
      this.#events.onFrame(message, bytes.subarray(8 + head, total));
    } catch (thrown) {
      this.end(`a message could not be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
    return total;
  }
}

export function toSharedBatch(batch: Batch): { head: SharedBatch; body: Uint8Array[] } {
  return {
    head: { ...batch, arenas: batch.arenas.map(({ used }) => used) },
    body: batch.arenas.map(({ buffer, used }) => new Uint8Array(buffer, 0, used)),
  };
}

/** Each arena gets a buffer of its own. */
export function fromSharedBatch(head: SharedBatch, body: Buffer): Batch {
  let at = 0;
  const arenas = head.arenas.map((used) => {
    if (used > body.length - at) throw new TypeError("an arena is cut off");
    const buffer = new ArrayBuffer(used);
    body.copy(new Uint8Array(buffer), 0, at, (at += used));
    return { buffer, used };
  });
  return { ...head, arenas };
}

export function toSharedReply(reply: CommitReply): { head: SharedReply; body: Uint8Array[] } {
  const head = { ...reply, arenas: [] };
  if (reply.claim === undefined) return { head: { ...head, claim: undefined }, body: [] };
  const { bytes, ...claim } = reply.claim;
  return { head: { ...head, claim }, body: [new Uint8Array(bytes)] };
}

export function fromSharedReply(head: SharedReply, body: Buffer, arenas: readonly ArrayBuffer[]): CommitReply {
  if (head.claim === undefined) return { ...head, claim: undefined, arenas };
  const bytes = new ArrayBuffer(body.length);
  body.copy(new Uint8Array(bytes));
  return { ...head, claim: { ...head.claim, bytes }, arenas };
}
