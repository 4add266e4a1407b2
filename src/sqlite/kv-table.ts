/**
 * Short-lived records on the writer: one step each, inside the group commit. What they are for stands in `src/kv/kv-store.ts`; when
 * there are too many, those that end soonest go, and a pinned one never does.
 */
import { roundingMs, type KvWrite } from "../kv/index.ts";
import type { Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { KvOp, KvReply } from "./protocol.ts";
import type { KvRow } from "./tables.ts";

export class KvTable {
  readonly #core: Core;
  #count: number;
  /** Beside the owner's life it makes versions that never come again. */
  #written = 0;

  constructor(core: Core) {
    this.#core = core;
    this.#count = core.sql.kvCount.get()?.n ?? 0;
  }

  apply(op: KvOp): KvReply {
    switch (op.verb) {
      case "get": {
        const row = this.#find(op.key);
        return { entry: row === undefined ? undefined : { value: row.value, version: row.version } };
      }
      case "set":
        return this.#set(op.write, op.mostRecords);
      case "delete": {
        const row = this.#find(op.key);
        const fits = row !== undefined && (op.version === undefined || row.version === op.version);
        if (fits) this.#changed(-Number(this.#core.sql.kvDelete.run(op.key).changes));
        return { deleted: fits };
      }
      case "advance":
        return this.#advance(op);
    }
  }

  /** Throws when a condition does not hold: the transaction that the write is part of is refused as a whole. */
  require(write: KvWrite): void {
    const reply = this.#set(write, limits.kvRecords);
    if ("full" in reply) throw new Error("there is no room for the record that it keeps");
    if ("version" in reply && reply.version === undefined)
      throw new Error("the record that it keeps was changed by somebody else");
  }

  #find(key: string): KvRow | undefined {
    const row = this.#core.sql.kvGet.get(key);
    return row !== undefined && row.ends > this.#core.now ? row : undefined;
  }

  #set({ key, value, ttlMs, if: condition, pinned = false }: KvWrite, mostRecords: number): KvReply {
    const row = this.#find(key);
    if (condition !== undefined && (condition === "absent" ? row !== undefined : row?.version !== condition))
      return { version: undefined };
    const version = this.#put(key, value, this.#core.now + ttlMs, pinned, mostRecords);
    return version === undefined ? { full: true } : { version };
  }

  #advance({ key, byMs, mostMs, mostRecords }: Extract<KvOp, { verb: "advance" }>): KvReply {
    const { now } = this.#core;
    const row = this.#find(key);
    const before = row === undefined ? 0 : Math.min(row.ends - now, mostMs);
    const aheadMs = before + byMs;
    if (aheadMs > mostMs + roundingMs) return { advanced: { accepted: false, aheadMs: before } };
    if (byMs > 0 && this.#put(key, "", now + aheadMs, false, mostRecords) === undefined) return { full: true };
    return { advanced: { accepted: true, aheadMs } };
  }

  /** The version of what was written; undefined where there is no room. */
  #put(key: string, value: string, ends: number, pinned: boolean, mostRecords: number): number | undefined {
    const { sql, now, epoch } = this.#core;
    this.#changed(-Number(sql.kvExpire.run(now, limits.kvExpirePerWrite).changes));
    if (this.#count >= mostRecords && sql.kvGet.get(key) === undefined) {
      const evicted = Number(sql.kvEvict.run(key).changes);
      if (evicted === 0) return undefined;
      this.#changed(-evicted);
    }
    const known = sql.kvGet.get(key) !== undefined;
    const version = epoch * 2 ** 32 + (++this.#written % 2 ** 32);
    sql.kvPut.run(key, value, version, ends, pinned ? 1 : 0);
    if (!known) this.#changed(1);
    return version;
  }

  #changed(by: number): void {
    if (by === 0) return;
    this.#count += by;
    this.#core.journal.add(() => (this.#count -= by));
  }
}
