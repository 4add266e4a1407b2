/**
 * `sqlite(path)`: an embedded store of jobs in one file, beside the application's own tables. The writer runs on its own thread; no request waits
 * for a disk.
 */
import { DatabaseSync } from "node:sqlite";
import { resolve } from "node:path";
import { err, Fault, ok, systemClock, type Result } from "../core/index.ts";
import type {
  EnqueueReceipt,
  MovableStore,
  NewJob,
  StoreFault,
  StoreOpenOptions,
  StoreResult,
  StoreSession,
} from "../jobs/index.ts";
import { checkRecord, type KvStore, type KvWrite } from "../kv/index.ts";
import { remoteKvHost, sqliteKv, type KvAnswer, type SqliteKvOptions } from "./kv.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { startThread, startWriter, type Link, type LinkEvents, type StartThread } from "./link.ts";
import { importFile } from "./move-in.ts";
import { exportFile, inspectFile } from "./move-out.ts";
import { plainPolicy } from "./plain-policy.ts";
import type { KvOp, Shared, SqlChanges, SqlStep, SqlValue } from "./protocol.ts";
import { unavailable } from "./receipt.ts";
import { Session } from "./session.ts";
import { unsharable } from "./share/place.ts";

export interface SqliteOptions {
  /**
   * `full` (the default): what was acknowledged survives a loss of power. `normal`: it survives the death of the process, but the
   * operating system may lose the last commits when it dies itself.
   */
  readonly durability?: "full" | "normal";
  /** The application's own tables, as numbered SQL texts: only ever add to the end. Applied at open, each in a transaction. */
  readonly migrations?: readonly string[];
  /** Pages of 4 KiB that the file may have: a bound on its size. Unlimited when absent. */
  readonly maxPages?: number;
  /** Milliseconds that the writer waits for another connection's lock before it answers `STORE_UNAVAILABLE`. 5,000 when absent. */
  readonly lockWaitMs?: number;
  /**
   * Whether several processes of one user on one machine may have the file open. One owns it; the others reach it through a Unix socket in the folder
   * `path-share`, and one of them becomes the owner when it is gone. Every one of them opens it with `true`. `"visit"` is for programs that look in for a
   * moment: they join an owner, and are none for others. Default false: a second process is refused.
   *
   * @example
   * const store = sqlite("atlas.db", { shared: true });
   */
  readonly shared?: boolean | "visit";
  /**
   * How many milliseconds a process that shares the file may stand still (not die: that is found at once) before its jobs are given to others. The
   * owner's counts. 1,000 to 600,000; default 10,000.
   */
  readonly leaseMs?: number;
  /**
   * How far the writer's thread stands back where processors are scarce: 0 to 19, added to the process's nice value (nice(2)). It shortens what requests wait
   * for beside jobs that run flat out, and lengthens what an enqueue waits for where requests keep every processor busy. Linux alone has it by thread; elsewhere it is nothing.
   * Where `threads.sliceMs` can be had, that alone does better. Default 0.
   *
   * @example
   * const server = await serve(app, { threads: 1, store: sqlite("atlas.db", { nice: 10 }) });
   */
  readonly nice?: number;
}

/** What a transaction is built of. Statements run in order on the writer thread, and the jobs are enqueued with them or not at all. */
export interface SqlTransaction {
  run(sql: string, params?: readonly SqlValue[]): void;
  /** One statement for many rows: for imports. */
  runMany(sql: string, rows: readonly (readonly SqlValue[])[]): void;
  enqueue(job: NewJob): void;
  /**
   * Writes a short-lived record of `kv()` with them. When its condition does not hold, the whole transaction is refused.
   */
  keep(write: KvWrite): void;
}

export interface TransactionReceipt {
  /** One for each `run` and `runMany`. */
  readonly statements: readonly SqlChanges[];
  /** One for each `enqueue`. */
  readonly jobs: readonly EnqueueReceipt[];
}

/** A statement of the transaction was refused; nothing of it was kept. `constraint` is set when a constraint of a table said no. */
export type SqlRejected = Fault<"SQL_REJECTED", { readonly reason: string; readonly constraint?: string }>;

export interface SqliteStore extends MovableStore {
  readonly kind: "sqlite";
  /** A connection of the calling thread that only reads: for the application's own queries. The caller closes it. */
  reader(): DatabaseSync;
  /**
   * Short-lived records in the same file: for sessions, rate limits and stored answers (`tensile/middleware`). They survive a
   * restart; a write is answered when it is on disk, and shares its commit with whatever else is written then.
   */
  kv(options?: SqliteKvOptions): KvStore;
  /**
   * Runs statements and enqueues jobs in one transaction on the writer thread; resolves after the commit.
   *
   * @example
   * await store.transaction((tx) => {
   *   tx.run("INSERT INTO audit (at, what) VALUES (?, ?)", [now, "import"]);
   *   tx.enqueue({ name: "import", priority: 5, payload: "{}" });
   * });
   */
  transaction(build: (tx: SqlTransaction) => void): Promise<Result<TransactionReceipt, StoreFault | SqlRejected>>;
}

/**
 * A store of jobs in an SQLite file.
 *
 * @param path A file, created when absent (with `-wal`, `-shm` and `-owner` files beside it), or `:memory:` for tests: that is lost when the store closes.
 */
export function sqlite(path: string, options: SqliteOptions = {}): SqliteStore {
  // From the environment, say, where it is not set.
  if (typeof path !== "string" || path === "")
    throw new TypeError('sqlite() takes the path of a file: sqlite("app.db").');
  return sqliteOn(startThread, path, options);
}

/** The store with its writer on a thread of another kind: the simulation's. */
export function sqliteOn(start: StartThread, path: string, options: SqliteOptions): SqliteStore {
  const file = path === ":memory:" ? path : resolve(path);
  checkShared(file, options);
  checkNice(options.nice);
  let session: Session | undefined;
  /** Where the calls of a thread go that does not have the store itself. */
  let owner: ((call: unknown) => Promise<unknown>) | undefined;
  const remote = remoteKvHost((op) => owner?.({ kv: op } satisfies SharedCall) as Promise<KvAnswer>);
  const transact = async ({ steps, jobs, writes }: Gathered): Promise<Transacted> => {
    if (session === undefined) throw new TypeError(`${path} is not open. Open the store before its first transaction.`);
    const result = await session.transact(steps, jobs, writes);
    if (!result.ok) return { fault: result.fault };
    if ("rejected" in result.value) return { fault: rejected(result.value.rejected, result.value.sqlCode) };
    return { receipt: { statements: result.value.changes, jobs: result.value.receipts } };
  };
  const answerKv = async (op: KvOp): Promise<KvAnswer> => {
    if (session === undefined) throw new TypeError(`${path} is not open.`);
    const done = await session.kv(op);
    return done.ok ? { reply: done.value } : { fault: done.fault };
  };
  return {
    kind: "sqlite",
    async open(openOptions: StoreOpenOptions): StoreResult<StoreSession> {
      if (session !== undefined && !session.closing)
        throw new TypeError(`${path} is open already. Close its session before opening it again.`);
      const opening = (session = new Session(openOptions));
      const failure = await connect(opening, start, file, options, openOptions);
      if (failure === undefined) return ok(opening);
      session = undefined;
      return err(failure);
    },
    reader() {
      if (file === ":memory:") throw new TypeError("A store in memory has no reader. Give it a file.");
      return new DatabaseSync(file, { readOnly: true, timeout: limits.lockWaitMs });
    },
    async inspect() {
      try {
        return ok(inspectFile(file));
      } catch (thrown) {
        return err(unavailable(thrown instanceof Error ? thrown.message : String(thrown)));
      }
    },
    exportRecords: () => exportFile(file),
    async importRecords(records, { merge = false } = {}) {
      if (session !== undefined && !session.closing) throw new TypeError(`${path} is open. Close it before an import.`);
      await importFile(file, records, { merge, now: systemClock.now() });
    },
    kv: (kvOptions) => sqliteKv(() => (owner === undefined ? session : remote), file, kvOptions),
    async transaction(build) {
      const call = gather(build);
      const done =
        owner === undefined
          ? await transact(call)
          : ((await owner({ transaction: call } satisfies SharedCall)) as Transacted);
      if ("receipt" in done) return ok(done.receipt);
      // From another thread it comes as plain data.
      const { code, kind, data, message } = done.fault;
      return err(new Fault(code, kind, data, message) as StoreFault | SqlRejected);
    },
    sharing: {
      answer(call) {
        const asked = call as SharedCall;
        return "kv" in asked ? answerKv(asked.kv) : transact(asked.transaction);
      },
      join(ask) {
        owner = ask;
      },
    },
  };
}

interface Gathered {
  readonly steps: readonly SqlStep[];
  readonly jobs: readonly NewJob[];
  readonly writes: readonly KvWrite[];
}

/** What another thread asks of the one that has the store open. */
type SharedCall = { readonly transaction: Gathered } | { readonly kv: KvOp };

type Transacted = { readonly receipt: TransactionReceipt } | { readonly fault: StoreFault | SqlRejected };

/** Opens the writer, and again whenever it dies. Undefined when it is open. */
function connect(
  session: Session,
  startOn: StartThread,
  file: string,
  options: SqliteOptions,
  open: StoreOpenOptions,
): Promise<StoreFault | undefined> {
  return new Promise((resolveOpen, reject) => {
    let opened = false;
    const start = (): void => {
      const events: LinkEvents = {
        onOpened: (message) => {
          opened = true;
          session.attach(link, message);
          resolveOpen(undefined);
        },
        onRefused: (reason, programming) => {
          if (opened) return again(reason);
          if (programming) reject(new TypeError(reason));
          else resolveOpen(unavailable(reason));
        },
        onMessage: (message) => session.onCommitted(message),
        onNotice: (notice) => session.onNotice(notice),
        onLost: (reason) => session.detach(reason, link),
        onClosed: () => session.closed(),
        onDied: (reason) => (opened ? again(reason) : resolveOpen(unavailable(reason))),
      };
      const link: Link = startWriter(
        startOn,
        writerOptions(file, options, open),
        open.clock,
        open.maxAttempts,
        (name) => plainPolicy(open.policy, name),
        events,
      );
    };
    const again = (reason: string): void => {
      session.detach(reason);
      if (!session.closing)
        open.clock.setTimer(limits.troubleRetryMs, () => (session.closing ? undefined : start()), true);
    };
    start();
  });
}

function writerOptions(
  file: string,
  options: SqliteOptions,
  open: StoreOpenOptions,
): Parameters<typeof startWriter>[1] {
  return {
    path: file,
    durability: options.durability ?? "full",
    migrations: options.migrations ?? [],
    retention: open.retention,
    maxPageCount: options.maxPages,
    lockWaitMs: options.lockWaitMs ?? limits.lockWaitMs,
    pid: process.pid,
    shared: sharedOf(options.shared),
    leaseMs: options.leaseMs ?? limits.sharedLeaseMs,
    nice: process.platform === "linux" ? (options.nice ?? 0) : 0,
  };
}

function sharedOf(shared: SqliteOptions["shared"]): Shared {
  return shared === "visit" ? shared : shared === true ? "yes" : "no";
}

function checkShared(file: string, { shared = false, leaseMs = limits.sharedLeaseMs }: SqliteOptions): void {
  if (!Number.isSafeInteger(leaseMs) || leaseMs < 1_000 || leaseMs > 600_000)
    throw new TypeError(`leaseMs is a whole number from 1,000 to 600,000, not ${leaseMs}.`);
  const reason = shared === true ? unsharable(file) : undefined;
  if (reason !== undefined) throw new TypeError(reason);
}

function checkNice(nice = 0): void {
  if (!Number.isInteger(nice) || nice < 0 || nice > 19)
    throw new TypeError(`nice is a whole number from 0 to 19, not ${nice}.`);
}

function gather(build: (tx: SqlTransaction) => void): Gathered {
  const steps: SqlStep[] = [];
  const jobs: NewJob[] = [];
  const writes: KvWrite[] = [];
  let rows = 0;
  const add = (sql: string, added: readonly (readonly SqlValue[])[]): void => {
    rows += added.length;
    if (steps.length >= limits.transactionStatements)
      throw new TypeError(
        `A transaction holds at most ${limits.transactionStatements} statements. Use runMany, or several transactions.`,
      );
    if (rows > limits.transactionRows)
      throw new TypeError(`A transaction holds at most ${limits.transactionRows} rows. Use several transactions.`);
    steps.push({ sql, rows: added });
  };
  build({
    run: (sql, params = []) => add(sql, [params]),
    runMany: (sql, many) => add(sql, many),
    enqueue: (job) => void jobs.push(job),
    keep(write) {
      checkRecord(write.key, write.value, limits.kvValueChars);
      if (writes.length >= limits.transactionStatements)
        throw new TypeError(`A transaction keeps at most ${limits.transactionStatements} records.`);
      writes.push(write);
    },
  });
  return { steps, jobs, writes };
}

function rejected(reason: string, code: number): SqlRejected {
  const constraint = (code & 0xff) === 19 ? /constraint failed: (.*)$/.exec(reason)?.[1] : undefined;
  const data = constraint === undefined ? { reason } : { reason, constraint };
  return new Fault(
    "SQL_REJECTED",
    constraint === undefined ? "invalid_argument" : "conflict",
    data,
    `The database refused the transaction: ${reason}.`,
  );
}
