/**
 * Several processes on one writer. What they send becomes one commit, with what the owner's own calling thread sends; each hears what became of its part,
 * and gets the jobs that its credit was used for. The committer knows of one calling thread: names have the owner's numbers on the way in, credit is
 * summed, and on the way out the claim is divided.
 *
 *   guest A --batch--+                                   +--reply, jobs--> guest A
 *   guest B --batch--+--> gather --> commit --> distribute --reply, jobs--> guest B
 *   own thread ------+                                   +--reply, jobs--> own thread
 *
 * When a guest is gone, its credit is taken back and its jobs are settled as crashed in the next commit; when the owner closes, those of all are given back.
 */
import { isFinished, type JobPolicy } from "../../jobs/index.ts";
import { must } from "../must.ts";
import { rangeOfSlot } from "../claim-draft.ts";
import type { Claim, Core } from "../core.ts";
import { sqliteLimits as limits } from "../limits.ts";
import type { Batch, BatchReply, ClaimReply, CommitReply, Op, OpReply, SettleOp } from "../protocol.ts";
import { renumber } from "./arenas.ts";
import { Client, type GuestPort } from "./client.ts";
import { divide, type Piece } from "./divide.ts";
import { Watchers } from "./watchers.ts";

interface Source {
  /** Undefined: what is done for guests that are gone. */
  readonly client: Client | undefined;
  readonly batch: Batch;
}

/** Stands in a batch for what is done here. Reads nothing. */
const nothing: Op = { op: "get", id: "" };

export class Switchboard {
  readonly #core: Core;
  readonly #own: Client;
  readonly #guests = new Set<Client>();
  readonly #watchers: Watchers;
  #received: { readonly client: Client; readonly batch: Batch }[] = [];
  #sources: readonly Source[] = [];
  /** Numbers of names that a guest told first: after all that the own thread may give. */
  readonly #numbers = new Map<string, number>();
  /** Those of them that the committer does not know yet. */
  #untold: { readonly name: string; readonly policy: JobPolicy | undefined }[] = [];
  readonly #attempts = new Map<string, number>();
  /** Which guest runs what, by claim. */
  readonly #held = new Map<number, Piece[]>();
  #heldMost = 1_024;
  /** What becomes of the jobs of guests that are gone, until it is committed. */
  #endings: SettleOp[] = [];
  #withdrawn: number[] = [];
  #leftAt = -Infinity;
  #turn = 0;

  constructor(core: Core, own: GuestPort) {
    this.#core = core;
    this.#own = new Client(own);
    this.#watchers = new Watchers(core, () => [this.#own, ...this.#guests]);
  }

  join(port: GuestPort): Client {
    const client = new Client(port);
    // What the own thread waits for may from now on end elsewhere.
    if (this.#guests.size === 0) must(this.#own.port).notice({ kind: "ended", ids: undefined });
    this.#guests.add(client);
    return client;
  }

  /** Throws where the batch cannot be one. */
  receive(client: Client, batch: Batch): void {
    this.#received.push({ client, batch: this.#translate(client, batch) });
  }

  /** `now`: the client has closed, and this was its time. */
  leave(client: Client, now?: number): void {
    this.#part(client, "crashed", now);
  }

  /** The owner closes. What guests run is given back, so that it counts as no attempt of theirs; nobody is handed anything any more. */
  end(now: number): void {
    for (const client of this.#guests) this.#part(client, "released", now);
    this.#withdraw(this.#own);
  }

  #part(client: Client, to: "crashed" | "released", now: number | undefined): void {
    if (!this.#guests.delete(client)) return;
    this.#leftAt = now ?? -Infinity;
    // One that has closed has sent all of it; of one that is gone nobody can say what it still waits for.
    if (now === undefined) this.#received = this.#received.filter((one) => one.client !== client);
    this.#watchers.forget(client);
    this.#withdraw(client);
    for (const [id, pieces] of this.#held) {
      const claim = this.#core.claims.get(id);
      if (claim === undefined) continue;
      for (const { lo, hi } of pieces.filter((piece) => piece.client === client)) {
        for (let slot = lo; slot < hi; slot++) {
          const ref = { claim: id, slot };
          if (to === "released") this.#endings.push({ op: "settle", ref, to });
          else this.#endings.push({ op: "settle", ref, to, attempts: this.#attemptsOf(claim, slot) });
        }
      }
    }
  }

  #withdraw(client: Client): void {
    for (const [name, credit] of client.credit) if (credit !== 0) this.#withdrawn.push(this.#numberOf(name), -credit);
    client.credit.clear();
  }

  #attemptsOf(claim: Claim, slot: number): number {
    const { name } = must(claim.ranges[rangeOfSlot(claim, slot)]).block.lane.name;
    return this.#attempts.get(name) ?? Infinity;
  }

  /** What the next commit applies. */
  gather(own: readonly Batch[]): readonly Batch[] {
    const sources: Source[] = own.map((batch) => ({ client: this.#own, batch: this.#hear(this.#own, batch) }));
    sources.push(...this.#received);
    this.#received = [];
    if (this.#endings.length + this.#withdrawn.length + this.#untold.length > 0)
      sources.push({ client: undefined, batch: this.#housekeeping() });
    this.#sources = inTime(this.#core.now, sources, this.#own);
    const batches = this.#sources.map(({ batch }) => batch);
    if (this.#guests.size > 0 || this.#watchers.size > 0) this.#watchers.before(batches);
    return batches;
  }

  #housekeeping(): Batch {
    const batch: Batch = {
      kind: "batch",
      number: 0,
      now: this.#leftAt,
      arenas: [],
      namesFrom: limits.names + this.#numbers.size - this.#untold.length,
      names: this.#untold.map(({ name }) => name),
      policies: this.#untold.map(({ policy }) => policy),
      attempts: [],
      ops: this.#endings,
      grants: this.#withdrawn,
    };
    this.#untold = [];
    this.#endings = [];
    this.#withdrawn = [];
    this.#leftAt = -Infinity;
    return batch;
  }

  /** Tells the guests; what is returned is for the own thread. */
  distribute(reply: CommitReply): CommitReply[] {
    const rest = { kind: "committed", batches: [], claim: undefined, arenas: [] } as const;
    const { waiting, wakeAt, trouble, commits } = reply;
    const news = { waiting, wakeAt, trouble, commits };
    const parts = new Map<Client, BatchReply[]>([[this.#own, []]]);
    this.#sources.forEach(({ client, batch }, index) => {
      const part = must(reply.batches[index]);
      if (client === undefined) return this.#keepEndings(batch, part);
      const told = this.#afterwards(client, batch, part);
      const known = parts.get(client);
      if (known === undefined) parts.set(client, [told]);
      else known.push(told);
    });
    const pieces = reply.claim === undefined ? [] : this.#divide(reply.claim);
    this.#watchers.after(reply.abandoned);
    for (const client of new Set([...parts.keys(), ...this.#guests])) {
      if (client === this.#own) continue;
      const [first, ...others] = pieces.filter((piece) => piece.client === client).map(copyOf);
      const batches = parts.get(client);
      if (batches === undefined && first === undefined) continue;
      client.port?.committed({ ...rest, ...news, batches: batches ?? [], claim: first });
      for (const claim of others) client.port?.committed({ ...rest, ...news, claim });
    }
    const [first, ...others] = this.#ownPieces(reply.claim, pieces);
    const arenas = this.#sources
      .filter(({ client }) => client === this.#own)
      .flatMap(({ batch }) => batch.arenas.map(({ buffer }) => buffer));
    const main = { ...reply, batches: must(parts.get(this.#own)), claim: first, arenas };
    return [main, ...others.map((claim) => ({ ...rest, ...news, claim }))];
  }

  #ownPieces(whole: ClaimReply | undefined, pieces: readonly Piece[]): ClaimReply[] {
    const [only] = pieces;
    // All of it is the own thread's: as it is.
    if (whole !== undefined && pieces.length === 1 && only?.client === this.#own)
      return [{ ...only.claim, bytes: whole.bytes }];
    return pieces.filter((piece) => piece.client === this.#own).map(copyOf);
  }

  #divide(claim: ClaimReply): Piece[] {
    const clients = [this.#own, ...this.#guests];
    const from = this.#turn++ % clients.length;
    const inTurn = [...clients.slice(from), ...clients.slice(0, from)];
    const pieces = divide(claim, inTurn, (number) => must(this.#core.namesByLocal.get(number)).name);
    const held = pieces.filter(({ client }) => client !== this.#own);
    if (held.length > 0) this.#held.set(claim.claim, held);
    if (this.#held.size > this.#heldMost) {
      for (const id of this.#held.keys()) if (!this.#core.claims.has(id)) this.#held.delete(id);
      this.#heldMost = Math.max(1_024, this.#held.size * 2);
    }
    return pieces;
  }

  /** A full disk has refused to take note of them: the next commit tries again. */
  #keepEndings(batch: Batch, { fault }: BatchReply): void {
    if (fault === undefined) return;
    // Credit that came with a message outlives a commit that fails.
    this.#endings.push(...(batch.ops as SettleOp[]));
  }

  /** What a client hears of its batch, and others with it. */
  #afterwards(client: Client, { ops }: Batch, reply: BatchReply): BatchReply {
    let told: OpReply[] | undefined;
    ops.forEach((op, index) => {
      const done = reply.ops[index];
      if (typeof done !== "object" || !("state" in done)) return;
      if (op.op === "state" && !isFinished(done.state) && this.#guests.size > 0) this.#watchers.add(op.id, client);
      if (op.op !== "cancel" || done.running !== true) return;
      const holder = this.#holderOf(op.id);
      if (holder === client) return;
      holder.port?.notice({ kind: "cancel", id: op.id });
      (told ??= [...reply.ops])[index] = { state: done.state };
    });
    return told === undefined ? reply : { ...reply, ops: told };
  }

  /** Who runs a job. */
  #holderOf(id: string): Client {
    const number = Number(id);
    for (const [claimId, pieces] of this.#held) {
      for (const { block, lo, hi, slot } of this.#core.claims.get(claimId)?.ranges ?? []) {
        const place = block.ids === undefined ? number - block.seq : block.ids.indexOf(number);
        if (place < lo || place >= hi) continue;
        const at = slot + place - lo;
        const piece = pieces.find((one) => at >= one.lo && at < one.hi);
        if (piece !== undefined && this.#guests.has(piece.client)) return piece.client;
      }
    }
    return this.#own;
  }

  /** Notes what a client says of itself. Its end of consuming takes back its own credit alone. */
  #hear(client: Client, batch: Batch): Batch {
    if (batch.names.length > 0) {
      client.tell(batch.namesFrom, batch.names);
      batch.names.forEach((name, index) => this.#allow(name, batch.attempts[index] ?? Infinity));
    }
    for (let i = 0; i < batch.grants.length; i += 2) client.grant(must(batch.grants[i]), must(batch.grants[i + 1]));
    if (!batch.ops.some(({ op }) => op === "stop")) return batch;
    const back = [...client.credit].flatMap(([name, credit]) => [client.numberOf(name), -credit]);
    client.credit.clear();
    const ops = batch.ops.map((op) => (op.op === "stop" ? nothing : op));
    return { ...batch, ops, grants: [...batch.grants, ...back] };
  }

  /** All processes are expected to say the same; the least counts. */
  #allow(name: string, attempts: number): void {
    this.#attempts.set(name, Math.min(this.#attempts.get(name) ?? Infinity, attempts));
  }

  #translate(client: Client, sent: Batch): Batch {
    if (sent.namesFrom + sent.names.length > limits.names) throw new TypeError("more names than there may be");
    const batch = this.#hear(client, sent);
    batch.names.forEach((name, index) => {
      if (this.#own.has(name) || this.#numbers.has(name)) return;
      this.#numbers.set(name, limits.names + this.#numbers.size);
      this.#untold.push({ name, policy: batch.policies[index] });
    });
    const numberOf = (number: number): number => this.#numberOf(must(client.names[number]));
    for (const arena of batch.arenas) renumber(arena, numberOf);
    const grants = batch.grants.map((value, index) => (index % 2 === 0 ? numberOf(value) : value));
    return { ...batch, namesFrom: 0, names: [], policies: [], grants };
  }

  #numberOf(name: string): number {
    return this.#own.has(name) ? this.#own.numberOf(name) : must(this.#numbers.get(name));
  }
}

/** The last batch of a commit says the time. What others sent may have waited for long, and does not set it back; the own thread's clock may. */
function inTime(start: number, sources: readonly Source[], own: Client): Source[] {
  let now = start;
  return sources.map(({ client, batch }) => {
    now = client === own ? batch.now : Math.max(now, batch.now);
    return { client, batch: { ...batch, now } };
  });
}

function copyOf({ claim, bytes }: Piece): ClaimReply {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return { ...claim, bytes: copy };
}
