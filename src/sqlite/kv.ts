/**
 * Short-lived records of the store's file, on the calling thread. Writes go to the writer and come back when they are committed; reads
 * look at the file themselves, since a session is looked up with every request and must not wait for a disk.
 */
import { DatabaseSync } from "node:sqlite";
import { Fault, err, ok, systemClock, type Result } from "../core/index.ts";
import type { StoreFault } from "../jobs/index.ts";
import { checkRecord, type KvEntry, type KvFault, type KvResult, type KvStore } from "../kv/index.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { KvOp, KvReply, OpReply } from "./protocol.ts";
import type { Session } from "./session.ts";
import type { KvRow } from "./tables.ts";

export interface SqliteKvOptions {
  /** Records at most. Default 1,000,000. */
  readonly maxEntries?: number;
}

type Verb = KvOp extends infer Op ? (Op extends KvOp ? Omit<Op, "op" | "mostRecords"> : never) : never;

/** What records need of an open store: its session, or, in another thread, the way to it. */
export type KvHost = Pick<Session, "kv" | "trouble" | "now" | "onEnd">;

export type KvAnswer = { readonly reply: OpReply } | { readonly fault: StoreFault };

/** Writes go to the thread that has the store open; reads look at the file, as they do there. */
export function remoteKvHost(ask: (op: KvOp) => Promise<KvAnswer>): KvHost {
  return {
    trouble: undefined,
    now: () => systemClock.now(),
    onEnd: new Set(),
    async kv(op) {
      const answer = await ask(op);
      if ("reply" in answer) return ok(answer.reply);
      const { code, kind, data, message } = answer.fault;
      return err(new Fault(code, kind, data, message) as StoreFault);
    },
  };
}

export function sqliteKv(
  session: () => KvHost | undefined,
  file: string,
  { maxEntries: mostRecords = limits.kvRecords }: SqliteKvOptions = {},
): KvStore {
  if (!Number.isSafeInteger(mostRecords) || mostRecords < 1)
    throw new TypeError(`kv: maxEntries is a whole number of at least 1, not ${mostRecords}.`);
  const reader = file === ":memory:" ? undefined : new Reader(file);
  const write = async <T>(verb: Verb, read: (reply: KvReply) => T): Promise<Result<T, KvFault>> => {
    const open = session();
    if (open === undefined) return err(unavailable("it is not open"));
    const done = await open.kv({ ...verb, op: "kv", mostRecords });
    if (!done.ok) return err(unavailable("reason" in done.fault.data ? done.fault.data.reason : done.fault.message));
    const reply = (done.value as { kv: KvReply }).kv;
    if ("full" in reply) return err(unavailable("it is full of records that must not be dropped"));
    return ok(read(reply));
  };
  return {
    maxValueChars: limits.kvValueChars,
    get(key): KvResult<KvEntry | undefined> {
      const open = session();
      if (open === undefined || reader === undefined)
        return write({ verb: "get", key }, (reply) => (reply as { entry: KvEntry | undefined }).entry);
      return reader.get(key, open);
    },
    async set(key, value, options) {
      checkRecord(key, value, limits.kvValueChars);
      const record = { ...options, key, value };
      return write({ verb: "set", key, write: record }, (reply) => (reply as { version: number | undefined }).version);
    },
    delete: (key, version) =>
      write({ verb: "delete", key, version }, (reply) => (reply as { deleted: boolean }).deleted),
    async advance(key, byMs, mostMs) {
      checkRecord(key, "", limits.kvValueChars);
      return write(
        { verb: "advance", key, byMs, mostMs },
        (reply) => (reply as Extract<KvReply, { advanced: object }>).advanced,
      );
    },
  };
}

/** A connection for each life of the writer: after it started again, the file may be another one. */
class Reader {
  readonly #file: string;
  #session: KvHost | undefined;
  #db: DatabaseSync | undefined;
  #find: ((key: string) => KvRow | undefined) | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  get(key: string, session: KvHost): Result<KvEntry | undefined, KvFault> {
    if (session.trouble !== undefined) return err(unavailable(session.trouble));
    try {
      if (this.#session !== session) this.#open(session);
      const row = this.#find?.(key);
      return row === undefined || row.ends <= session.now() ? ok() : ok({ value: row.value, version: row.version });
    } catch (thrown) {
      this.#close();
      return err(unavailable(thrown instanceof Error ? thrown.message : String(thrown)));
    }
  }

  #open(session: KvHost): void {
    this.#close();
    this.#db = new DatabaseSync(this.#file, { readOnly: true, timeout: 0 });
    const statement = this.#db.prepare("SELECT value, version, ends FROM tensile_kv WHERE key = ?");
    // What the statement gives is what it says.
    this.#find = (key) => statement.get(key) as unknown as KvRow | undefined;
    this.#session = session;
    session.onEnd.add(this.#close);
  }

  readonly #close = (): void => {
    this.#session?.onEnd.delete(this.#close);
    this.#db?.close();
    this.#session = this.#db = this.#find = undefined;
  };
}

function unavailable(reason: string): KvFault {
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, `The store cannot take work now: ${reason}.`);
}
