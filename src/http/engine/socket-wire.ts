/**
 * Joins a Connection to a node:net socket, in one of two ways of reading: into one static buffer shared by all connections
 * (no allocation per read), or by `data` events (any runtime). See docs/decisions for why both exist.
 */
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Wire } from "./connection-host.ts";

/** How bytes are read: `static` needs a property of Node's sockets that is only half documented, `events` runs everywhere. */
export type ReadMode = "static" | "events";

/** What the engine hears from a socket. */
export interface WireListener {
  receive(bytes: Buffer, length: number): boolean;
  drained(): void;
  finished(): void;
  ended(): void;
  closed(): void;
}

/** `onread` callbacks are synchronous and the loop is one thread, so one buffer is enough for every socket. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Attaches a listener to an accepted socket. In `static` mode the socket must come from a server with `pauseOnConnect: true`
 * and is replaced: its handle moves into a new socket that reads into the shared buffer.
 */
export function attach(accepted: Socket, mode: ReadMode, listenerFor: (wire: Wire) => WireListener): void {
  if (mode === "static") attachStatic(accepted, listenerFor);
  else attachEvents(accepted, listenerFor);
}

function attachEvents(socket: Socket, listenerFor: (wire: Wire) => WireListener): void {
  const wire = new SocketWire(socket, () => undefined);
  const listener = listenerFor(wire);
  socket.on("data", (chunk: Buffer) => {
    if (!listener.receive(chunk, chunk.length)) socket.pause();
  });
  follow(socket, listener);
}

function attachStatic(accepted: Socket, listenerFor: (wire: Wire) => WireListener): void {
  const handle = takeHandle(accepted);
  if (handle === undefined) return;
  let reader: Pick<WireListener, "receive"> | null = null;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: sharedBuffer,
      callback: (length: number): boolean => reader === null || reader.receive(sharedBuffer, length),
    },
  };
  // `handle` is documented for Node's own use only, so the type does not know it.
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  // The handle will read into the shared buffer for ever: for whoever comes after, the bytes become those of a common stream.
  const relay = { receive: (bytes: Buffer, length: number) => socket.push(Buffer.from(bytes.subarray(0, length))) };
  const release = (): void => {
    reader = relay;
    // A socket with a buffer of its own stops its handle when it is paused, and would not hear of the end then.
    socket.pause = () => (Duplex.prototype.pause.call(socket), socket);
  };
  const listener = listenerFor(new SocketWire(socket, release));
  reader = listener;
  follow(socket, listener);
}

/** Moves the handle out of an accepted socket; the empty socket is destroyed, so that its server no longer counts it. */
function takeHandle(accepted: Socket): object | undefined {
  const holder: { _handle?: object | null } = accepted as object;
  const handle = holder._handle;
  if (handle === null || handle === undefined) return undefined;
  holder._handle = null;
  accepted.destroy();
  return handle;
}

function follow(socket: Socket, listener: WireListener): void {
  socket.on("drain", () => listener.drained());
  socket.on("finish", () => listener.finished());
  socket.on("end", () => listener.ended());
  // ECONNRESET, EPIPE and the like: `close` follows, and it is all that matters.
  socket.on("error", ignore);
  socket.on("close", () => listener.closed());
  socket.resume();
}

function ignore(): void {}

class SocketWire implements Wire {
  readonly #socket: Socket;
  readonly #onRelease: () => void;
  #address: string | null = null;

  constructor(socket: Socket, onRelease: () => void) {
    this.#socket = socket;
    this.#onRelease = onRelease;
  }

  write(data: string | Uint8Array): boolean {
    return typeof data === "string" ? this.#socket.write(data, "latin1") : this.#socket.write(data);
  }

  writeAll(parts: readonly (string | Uint8Array)[]): boolean {
    this.#socket.cork();
    let room = true;
    for (const part of parts) room = this.write(part);
    this.#socket.uncork();
    return room;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  queuedBytes(): number {
    return this.#socket.writableLength;
  }

  remoteAddress(): string {
    return (this.#address ??= this.#socket.remoteAddress ?? "");
  }

  get isSecure(): boolean {
    return "encrypted" in this.#socket;
  }

  release(): Socket {
    const socket = this.#socket;
    this.#onRelease();
    for (const event of ["data", "drain", "finish", "end"]) socket.removeAllListeners(event);
    socket.pause();
    // As if nobody had read yet: the first listener for `data` starts the reading.
    socket.readableFlowing = null;
    // Whoever has no use for half of a connection need not know of it.
    socket.allowHalfOpen = false;
    return socket;
  }
}

/** The options of a server whose sockets `attach` takes: nothing is read before it has. */
export function serverOptions(): { allowHalfOpen: true; noDelay: true; pauseOnConnect: true } {
  return { allowHalfOpen: true, noDelay: true, pauseOnConnect: true };
}
