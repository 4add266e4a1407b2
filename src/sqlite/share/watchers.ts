/**
 * Who waits for the end of which job. A process that ends a job itself knows it; the others are told to look. Told too often they look once more, so
 * what may have ended is enough to know.
 */
import type { Core } from "../core.ts";
import { sqliteLimits as limits } from "../limits.ts";
import type { AttemptRef, Batch } from "../protocol.ts";
import { idOfSlot, succeeded } from "./arenas.ts";
import type { Client } from "./client.ts";

export class Watchers {
  readonly #core: Core;
  readonly #all: () => readonly Client[];
  readonly #byJob = new Map<string, Set<Client>>();
  /** What the commit under way may end. */
  readonly #ending = new Set<string>();

  constructor(core: Core, all: () => readonly Client[]) {
    this.#core = core;
    this.#all = all;
  }

  get size(): number {
    return this.#byJob.size;
  }

  add(id: string, client: Client): void {
    // Callers may have gone away meanwhile; who still waits says so again.
    if (this.#byJob.size >= limits.finishedWaiters) {
      this.#byJob.clear();
      for (const one of this.#all()) one.port?.notice({ kind: "ended", ids: undefined });
      return;
    }
    const known = this.#byJob.get(id);
    if (known === undefined) this.#byJob.set(id, new Set([client]));
    else known.add(client);
  }

  forget(client: Client): void {
    for (const [id, clients] of this.#byJob) if (clients.delete(client) && clients.size === 0) this.#byJob.delete(id);
  }

  /** Before the commit, while the claims are there that settlements name. */
  before(batches: readonly Batch[]): void {
    if (this.#byJob.size === 0) return;
    const note = (id: string): void => {
      if (this.#byJob.has(id)) this.#ending.add(id);
    };
    for (const { arenas, ops } of batches) {
      for (const arena of arenas) succeeded(this.#core, arena, note);
      for (const op of ops) {
        if (op.op === "cancel") note(op.id);
        else if (op.op === "settle") note(this.#idOf(op.ref));
      }
    }
  }

  #idOf(ref: AttemptRef): string {
    if ("id" in ref) return ref.id;
    const claim = this.#core.claims.get(ref.claim);
    return claim === undefined ? "" : String(idOfSlot(claim, ref.slot));
  }

  /** After it. `abandoned`: jobs that it has cancelled because of others. */
  after(abandoned: readonly number[] | undefined): void {
    if (this.#byJob.size === 0) return;
    for (const id of abandoned ?? []) this.#ending.add(String(id));
    const told = new Map<Client, string[]>();
    for (const id of this.#ending) {
      for (const client of this.#byJob.get(id) ?? []) {
        const ids = told.get(client);
        if (ids === undefined) told.set(client, [id]);
        else ids.push(id);
      }
      this.#byJob.delete(id);
    }
    this.#ending.clear();
    for (const [client, ids] of told) client.port?.notice({ kind: "ended", ids });
  }
}
