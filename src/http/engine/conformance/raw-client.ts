/** A client that sends exactly the bytes it is told to, and waits for conditions instead of sleeping. */
import { connect, type Socket } from "node:net";
import { systemClock } from "../../../core/index.ts";

export class RawClient {
  readonly socket: Socket;
  /** Everything received, as Latin-1 text. */
  text = "";
  ended = false;
  closed = false;
  #waiting: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk: Buffer) => this.#note(() => (this.text += chunk.toString("latin1"))));
    this.socket.on("end", () => this.#note(() => (this.ended = true)));
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => this.#note(() => (this.ended = this.closed = true)));
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Resolves when `done` holds; it is asked after everything that happens on the socket. Rejects when the socket closed first. */
  async until(done: () => boolean, what = String(done)): Promise<void> {
    while (!done()) {
      if (this.closed) throw new Error(`The connection closed before: ${what}. Received: ${this.text.slice(-500)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async untilText(part: string, times = 1): Promise<void> {
    await this.until(() => this.text.split(part).length > times, `${times} x ${JSON.stringify(part)}`);
  }

  async untilEnd(): Promise<string> {
    await this.until(() => this.ended, "the end");
    return this.text;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #note(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** Polls a condition outside the client, letting I/O happen in between. Gives up after 10 s. */
export async function eventually(condition: () => boolean, what = String(condition)): Promise<void> {
  const end = systemClock.monotonic() + 10_000;
  while (!condition()) {
    if (systemClock.monotonic() > end) throw new Error(`It never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
