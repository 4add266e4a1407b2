/**
 * The owner's side of a shared file, on the writer thread: listens, lets processes join, and finds out which of them are gone.
 *
 *   connected -- hello --> joined -- close --> left
 *       |                    |
 *       +--------------------+-- the socket ends, it is silent for the lease, it takes nothing --> gone
 *
 * One that is gone or has left runs nothing any more: its jobs are settled as crashed.
 */
import { createServer, type Server, type Socket } from "node:net";
import { systemClock, type Timer } from "../../core/index.ts";
import { sqliteLimits as limits } from "../limits.ts";
import type { CommitReply } from "../protocol.ts";
import type { Client } from "./client.ts";
import { prepareSocket, protectSocket, removeSocket } from "./place.ts";
import type { Switchboard } from "./switchboard.ts";
import { fromSharedBatch, toSharedReply, Wire, type FromGuest, type FromOwner, type Welcome } from "./wire.ts";

/** Looks per lease: who has not answered so many of them in a row is gone. */
const looksPerLease = 4;

export interface HostOptions {
  readonly file: string;
  readonly leaseMs: number;
  /** How many migrations of the application have been applied. */
  readonly migrations: number;
  readonly board: Switchboard;
  /** The state of the store for one that joins. */
  readonly welcome: () => Pick<Welcome, "epoch" | "waiting" | "wakeAt">;
  /** There is something to commit. */
  readonly onWork: () => void;
  /** So is there, with the time of now. */
  readonly onGone: () => void;
}

interface Guest {
  readonly wire: Wire<FromGuest, FromOwner>;
  client: Client | undefined;
  /** Looks that it has not answered. */
  missed: number;
  /** It closes, and is told when what it ran is given back. */
  closing: boolean;
}

export class Host {
  readonly #options: HostOptions;
  readonly #server: Server;
  readonly #guests = new Set<Guest>();
  #look: Timer | undefined;
  /** Monotonic time of the last look. */
  #lookedAt = systemClock.monotonic();

  constructor(options: HostOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#greet(socket));
  }

  /** Rejects where the socket cannot be made. */
  async listen(): Promise<void> {
    const path = prepareSocket(this.#options.file);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, resolve);
    });
    this.#server.on("error", () => undefined);
    protectSocket(this.#options.file);
    this.#planLook();
  }

  /** Everybody is let go. They look for the next owner. */
  close(): void {
    this.#look?.cancel();
    this.#server.close();
    for (const guest of this.#guests) guest.wire.end("the owner closes the file");
    removeSocket(this.#options.file);
  }

  /** Before a commit: nothing of those that may have given this process up goes into it. */
  check(): void {
    if (this.#stoodStill()) this.#dropAll();
  }

  /** After a commit: what those ran that have closed is given back. */
  committed(): void {
    for (const guest of this.#guests) {
      if (!guest.closing) continue;
      this.#guests.delete(guest);
      guest.wire.send({ kind: "closed" });
      guest.wire.finish();
    }
  }

  #greet(socket: Socket): void {
    if (this.#guests.size >= limits.guests) return void socket.destroy();
    const wire: Guest["wire"] = new Wire(socket, {
      onFrame: (head, body) => this.#hear(guest, head, body),
      onEnd: () => this.#gone(guest),
    });
    const guest: Guest = { wire, client: undefined, missed: 0, closing: false };
    this.#guests.add(guest);
  }

  #hear(guest: Guest, head: FromGuest, body: Buffer): void {
    if (this.#stoodStill()) return this.#dropAll();
    guest.missed = 0;
    const { board, onWork } = this.#options;
    switch (head.kind) {
      case "hello":
        return this.#join(guest, head.migrations);
      case "batch":
        if (guest.client === undefined) return guest.wire.end("it has not joined");
        board.receive(guest.client, fromSharedBatch(head, body));
        return onWork();
      case "close":
        if (guest.client !== undefined) board.leave(guest.client, head.now);
        guest.closing = true;
        return onWork();
      case "pong":
        return;
      default:
        return guest.wire.end("it sent a message of no kind");
    }
  }

  #join(guest: Guest, migrations: number): void {
    const { board, leaseMs, migrations: applied, welcome } = this.#options;
    if (guest.client !== undefined) return guest.wire.end("it has joined already");
    if (migrations !== applied) {
      const older = migrations > applied ? "the owner" : "this process";
      const reason = `its owner knows ${applied} migrations, and this process ${migrations}: start ${older} anew with the newer program`;
      guest.wire.send({ kind: "refused", reason });
      this.#guests.delete(guest);
      return guest.wire.finish();
    }
    guest.client = board.join({
      committed: (reply) => this.#tell(guest, reply),
      notice: (notice) => guest.wire.send(notice),
    });
    guest.wire.send({ ...welcome(), kind: "welcome", leaseMs });
  }

  #tell({ wire }: Guest, reply: CommitReply): void {
    if (wire.unsent > limits.sharedUnsentBytes) return wire.end("it takes nothing");
    const { head, body } = toSharedReply(reply);
    wire.send(head, body);
  }

  #gone(guest: Guest): void {
    if (!this.#guests.delete(guest) || guest.client === undefined) return;
    this.#options.board.leave(guest.client);
    this.#options.onGone();
  }

  #planLook(): void {
    const everyMs = this.#options.leaseMs / looksPerLease;
    this.#lookedAt = systemClock.monotonic();
    this.#look = systemClock.setTimer(everyMs, () => {
      this.check();
      for (const guest of [...this.#guests]) {
        if (guest.missed >= looksPerLease) guest.wire.end("it is silent");
        guest.missed++;
        guest.wire.send({ kind: "ping" });
      }
      this.#planLook();
    });
  }

  /**
   * Whether this process has stood still for so long that guests may have given it up: they have told their callers that nothing was kept of what still
   * waits in the sockets, and so nothing of it may be.
   */
  #stoodStill(): boolean {
    return systemClock.monotonic() - this.#lookedAt > this.#options.leaseMs * 0.75;
  }

  #dropAll(): void {
    for (const guest of [...this.#guests]) guest.wire.end("the owner stood still");
  }
}
