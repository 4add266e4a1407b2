/**
 * A process that shares a file without owning it, on the thread that would be its writer: it carries messages between its calling thread and the owner,
 * and answers the owner's question whether it lives, whatever the calling thread is doing.
 *
 *   seeking -- the lock is free --> owner (this ends here)
 *   seeking -- the owner answers --> joined
 *   joined -- the socket ends, the owner is silent --> lost --> seeking
 *   any -- close --> closed
 */
import { connect } from "node:net";
import { sleep, systemClock, systemRandom, type Timer } from "../../core/index.ts";
import { sqliteLimits as limits } from "../limits.ts";
import { Owned } from "../ownership.ts";
import type { Batch, FromWriter, ToWriter } from "../protocol.ts";
import { checkFolder, socketOf } from "./place.ts";
import { fromSharedReply, shareVersion, toSharedBatch, Wire, type FromGuest, type FromOwner } from "./wire.ts";

export interface GuestOptions {
  readonly file: string;
  readonly pid: number;
  readonly migrations: number;
  /** Whether this process owns the file when it is nobody's. */
  readonly takesOver: boolean;
  readonly post: (message: FromWriter, transfer?: ArrayBuffer[]) => void;
  /** Takes the lock and opens the file. Throws `Owned` where it is another process's. */
  readonly own: () => void;
}

type Outcome =
  | { readonly joined: true }
  /** `final`: trying again would change nothing. */
  | { readonly joined: false; readonly reason: string; readonly final: boolean };

export class Guest {
  readonly #options: GuestOptions;
  #wire: Wire<FromOwner, FromGuest> | undefined;
  /** Arenas on their way, by the number of their message. */
  readonly #arenas = new Map<number, readonly ArrayBuffer[]>();
  /** The calling thread knows that it has no owner, and has sent nothing since. */
  #heard = Promise.withResolvers<void>();
  #isHeard = true;
  #closing = false;
  #watch: Timer | undefined;
  /** Monotonic time. */
  #lastHeard = 0;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.#heard.resolve();
  }

  /** The first search: it ends with an answer. */
  async start(owned: Owned): Promise<void> {
    const { post } = this.#options;
    const until = systemClock.monotonic() + limits.sharedOpenMs;
    const reason = await this.#seek(owned, (_, found) => {
      if (found?.shared === false) return found.message;
      if (systemClock.monotonic() < until) return undefined;
      return `${this.#options.file} is owned by ${found?.owner ?? "another process"}, which does not answer`;
    });
    if (reason !== undefined) post({ kind: "refused", reason, programming: false });
  }

  fromMain(message: ToWriter): void {
    if (message.kind === "heard") {
      this.#isHeard = true;
      this.#heard.resolve();
    } else if (message.kind === "close") {
      this.#close(message.now);
    } else if (message.kind === "batch") {
      this.#send(message);
    }
  }

  #close(now: number): void {
    this.#closing = true;
    // The owner says when what ran here is given back.
    if (this.#wire === undefined) this.#closed();
    else this.#wire.send({ kind: "close", now });
  }

  #closed(): void {
    this.#watch?.cancel();
    this.#options.post({ kind: "closed" });
  }

  #send(batch: Batch): void {
    // What was sent to an owner that is gone is not for the next: its callers are told.
    if (this.#wire === undefined || !this.#isHeard) return;
    const { head, body } = toSharedBatch(batch);
    this.#arenas.set(
      batch.number,
      batch.arenas.map(({ buffer }) => buffer),
    );
    this.#wire.send(head, body);
  }

  /** Until there is an owner, this process or another; or `giveUp` says why not. */
  async #seek(
    owned: Owned | undefined,
    giveUp: (reason: string, owned: Owned | undefined) => string | undefined,
  ): Promise<string | undefined> {
    let found = owned;
    for (let wait: number = limits.sharedRetryMs; !this.#closing; wait = Math.min(wait * 2, limits.sharedRetryMostMs)) {
      if (found === undefined && this.#options.takesOver) {
        try {
          this.#options.own();
          return undefined;
        } catch (thrown) {
          if (!(thrown instanceof Owned)) throw thrown;
          found = thrown;
        }
      }
      const outcome = await this.#join();
      if (outcome.joined) return undefined;
      const reason = outcome.final ? outcome.reason : giveUp(outcome.reason, found);
      if (reason !== undefined) return reason;
      // Several may seek at once.
      await sleep(systemClock, wait / 2 + systemRandom.next() * wait);
      found = undefined;
    }
    return undefined;
  }

  #join(): Promise<Outcome> {
    const { file, pid, migrations } = this.#options;
    return new Promise((resolve) => {
      const no = (reason: string, final = false): void => {
        patience.cancel();
        resolve({ joined: false, reason, final });
      };
      const patience = systemClock.setTimer(limits.sharedOpenMs / 2, () => made.end("it does not answer"), true);
      try {
        checkFolder(file);
      } catch (thrown) {
        return no(thrown instanceof Error ? thrown.message : String(thrown), true);
      }
      const socket = connect(socketOf(file));
      const made = new Wire<FromOwner, FromGuest>(socket, {
        onFrame: (head, body) => {
          if (head.kind === "refused") {
            no(`${file} cannot be shared: ${head.reason}`, true);
            made.finish();
          } else if (head.kind === "welcome") {
            patience.cancel();
            this.#joined(made, head.leaseMs);
            this.#options.post({ ...head, kind: "opened", crashed: [], guest: true });
            resolve({ joined: true });
          } else {
            this.#heardFrom(made, head, body);
          }
        },
        onEnd: (reason, version) => {
          const others = `its owner speaks version ${version} of the protocol between processes, and this process ${shareVersion}: run the same version of tensile in all of them`;
          if (this.#wire === made) this.#lost(reason);
          else if (version === undefined) no(reason);
          else no(`${file} cannot be shared: ${others}`, true);
        },
      });
      made.send({ kind: "hello", pid, migrations });
    });
  }

  #joined(wire: Wire<FromOwner, FromGuest>, leaseMs: number): void {
    this.#wire = wire;
    this.#lastHeard = systemClock.monotonic();
    // Longer than the lease: an owner that was given up must know that it stood still.
    const watch = (): void => {
      this.#watch = systemClock.setTimer(leaseMs / 4, () => {
        if (systemClock.monotonic() - this.#lastHeard > leaseMs * 1.25) wire.end("its owner stands still");
        else watch();
      });
    };
    watch();
  }

  #heardFrom(wire: Wire<FromOwner, FromGuest>, head: Exclude<FromOwner, { kind: "welcome" }>, body: Buffer): void {
    if (this.#wire !== wire) return;
    this.#lastHeard = systemClock.monotonic();
    const { post } = this.#options;
    switch (head.kind) {
      case "ping":
        return wire.send({ kind: "pong" });
      case "committed": {
        const arenas = head.batches.flatMap(({ number }) => this.#arenas.get(number) ?? []);
        for (const { number } of head.batches) this.#arenas.delete(number);
        const reply = fromSharedReply(head, body, arenas);
        return post(reply, reply.claim === undefined ? [...arenas] : [...arenas, reply.claim.bytes]);
      }
      case "cancel":
      case "ended":
      case "tick":
        return post(head);
      case "closed":
        this.#wire = undefined;
        wire.finish();
        return this.#closed();
      case "refused":
        return;
    }
  }

  /** Whoever waits is told, and the search begins again. */
  #lost(reason: string): void {
    this.#wire = undefined;
    this.#watch?.cancel();
    this.#arenas.clear();
    if (this.#closing) return this.#closed();
    this.#isHeard = false;
    this.#heard = Promise.withResolvers<void>();
    this.#options.post({ kind: "lost", reason: `the owner of ${this.#options.file} is gone: ${reason}` });
    void this.#seekAgain();
  }

  async #seekAgain(): Promise<void> {
    const { post } = this.#options;
    await this.#heard.promise;
    const reason = await this.#seek(undefined, () => undefined);
    // The calling thread starts this thread again after a while.
    if (reason !== undefined) post({ kind: "refused", reason, programming: false });
  }
}
