/**
 * The writer thread: owns the database, commits in groups. Started by `worker.ts`; knows nothing of promises, handlers or clocks.
 */
import { must } from "./must.ts";
import { statSync, type Stats } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { systemClock, type Timer } from "../core/index.ts";
import type { JobPolicy } from "../jobs/index.ts";
import { Committer } from "./committer.ts";
import { unstarted, type Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { setPolicy } from "./limiting.ts";
import { sqliteCode } from "./failures.ts";
import { Owned, takeOwnership, type Ownership } from "./ownership.ts";
import type { Batch, FromWriter, ToWriter, WriterOptions } from "./protocol.ts";
import { crashedNames, emptyCore, loadCore, recoverClaims } from "./recovery.ts";
import { createTables } from "./schema.ts";
import { ApplicationSql, migrate } from "./transaction.ts";
import { whyNotOpened } from "./why-not-opened.ts";

if (parentPort === null) throw new TypeError("writer.ts is the entry of a worker thread. Use sqlite() instead.");
const port = parentPort;
const options = workerData as WriterOptions;
const memory = options.path === ":memory:";

let ownership: Ownership | undefined;
let db: DatabaseSync | undefined;
let core: Core | undefined;
let application: ApplicationSql | undefined;
let committer: Committer | undefined;
let names: readonly string[] = [];
let idle: Timer | undefined;
let uncheckedPages = false;
/** The file that was opened, as against the one that has its name now. */
let file: Stats | undefined;
let longLog: string | undefined;
/** Monotonic time at which the last commit began. */
let beganAt = -Infinity;
/** Never woken: a wait on it ends with its time. */
const nobody = new Int32Array(new SharedArrayBuffer(4));
/** Commits between two looks at the length of the log. */
const logCheckEvery = 256;

function post(message: FromWriter, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

function open(): void {
  try {
    // Node 24.10 brought what keeps application statements away from the store's tables.
    if (typeof DatabaseSync.prototype.setAuthorizer !== "function") {
      throw new TypeError(`Node ${process.versions.node} is too old for tensile/sqlite: 24.10 or later is needed`);
    }
    if (!memory) ownership = takeOwnership(options.path, options.pid);
    db = new DatabaseSync(options.path, { timeout: options.lockWaitMs });
    core = prepare(db);
    if (!memory) file = statSync(options.path);
    names = crashedNames(core);
    post({ kind: "names", names, known: [...core.names.keys()] });
  } catch (thrown) {
    refuse(thrown);
  }
}

function prepare(opened: DatabaseSync): Core {
  opened.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${options.durability === "full" ? "FULL" : "NORMAL"};
     PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = ${limits.checkpointPages};`,
  );
  if (options.maxPageCount !== undefined) opened.exec(`PRAGMA max_page_count = ${options.maxPageCount}`);
  createTables(opened);
  application = new ApplicationSql(opened);
  migrate(opened, application, options.migrations, options.now);
  const made = emptyCore(opened, options.retention);
  made.epoch = Number(made.sql.getMeta.get("epoch")?.value ?? 0) + 1;
  made.sql.setMeta.run("epoch", made.epoch);
  loadCore(made);
  return made;
}

function recover(now: number, attempts: readonly number[], policies: readonly (JobPolicy | undefined)[]): void {
  try {
    [...must(core).names.values()].forEach((name, index) => setPolicy(must(core), name, policies[index]));
    must(core).now = now;
    const recovered = recoverClaims(must(core), new Map(names.map((name, index) => [name, must(attempts[index])])));
    committer = new Committer(must(core), must(application));
    const waiting = unstarted(must(core));
    post({ kind: "opened", epoch: must(core).epoch, waiting, wakeAt: committer.wakeAt(), recovered });
  } catch (thrown) {
    refuse(thrown);
  }
}

function refuse(thrown: unknown): void {
  const reason = thrown instanceof Owned ? thrown.message : whyNotOpened(options.path, thrown);
  release();
  post({ kind: "refused", reason, programming: !(thrown instanceof Owned) && sqliteCode(thrown) === undefined });
}

function release(): void {
  idle?.cancel();
  if (db !== undefined && db.isOpen) db.close();
  ownership?.release();
  db = undefined;
  ownership = undefined;
}

/**
 * After a commit of middling size the next one keeps a distance, so that it carries more: a commit that carries little costs as much as one that
 * carries a hundred jobs. After a small one nothing waits, so a lone job is committed at once; after a large one there is nothing to gain.
 * Blocking hurts nobody: this thread has nothing else to do.
 */
function keepDistance(): void {
  const { carried } = must(committer);
  const left = beganAt + limits.commitGapMs - systemClock.monotonic();
  if (left > 0 && carried >= limits.commitGapFrom && carried < limits.commitGapTo) Atomics.wait(nobody, 0, 0, left);
  beganAt = systemClock.monotonic();
}

/** Everything that waits at the port becomes one commit. */
function commitAll(first: Batch | undefined): void {
  keepDistance();
  const batches: Batch[] = first === undefined ? [] : [first];
  let closing = false;
  for (let next = take(); next !== undefined; next = take()) {
    if (next.kind === "batch") batches.push(next);
    else closing = next.kind === "close";
  }
  const reply = must(committer).commit(batches);
  if (isReplaced()) return giveUp();
  const transfer = [...reply.arenas];
  if (reply.claim !== undefined) transfer.push(reply.claim.bytes);
  if (reply.commits % logCheckEvery === 0) longLog = checkLog();
  post(longLog === undefined ? reply : { ...reply, longLog }, transfer);
  uncheckedPages = true;
  // A log that cannot grow may still be emptied into the file, and then begins anew.
  if (reply.trouble !== undefined) checkpoint();
  if (closing) return close();
  if (must(committer).more) setImmediate(() => db !== undefined && commitAll(undefined));
  else armIdle();
}

/** A reader that stays keeps the log from being emptied. */
function checkLog(): string | undefined {
  if (memory) return undefined;
  const bytes = statSync(`${options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes < limits.walAlertBytes) return undefined;
  return `the write-ahead log has ${Math.round(bytes / 1_048_576)} MB, because a connection that reads has not ended its transaction`;
}

function take(): ToWriter | undefined {
  const received: { message: ToWriter } | undefined = receiveMessageOnPort(port);
  return received?.message;
}

/** Nothing to do for a while: empty the log now rather than in the middle of work. */
function armIdle(): void {
  idle?.cancel();
  idle = systemClock.setTimer(limits.idleCheckpointMs, () => {
    if (uncheckedPages) checkpoint();
  });
}

function checkpoint(): void {
  try {
    db?.exec("PRAGMA wal_checkpoint(PASSIVE)");
    uncheckedPages = false;
  } catch {
    // A full disk: nothing is lost, the pages stay in the log, and the commit that needs the room reports it.
  }
}

/** Whether the file was deleted, or another is in its place: what is committed now would be gone with the last handle to it. */
function isReplaced(): boolean {
  if (file === undefined) return false;
  const now = statSync(options.path, { throwIfNoEntry: false });
  return now?.ino !== file.ino || now.dev !== file.dev;
}

/** Nothing that arrived is acknowledged; the calling thread starts a writer for the file that is there now. */
function giveUp(): void {
  release();
  const reason = `${options.path} was deleted or replaced while it was in use, and what it held went with it`;
  post({ kind: "refused", reason, programming: false });
}

function close(): void {
  if (db !== undefined && core !== undefined) {
    try {
      core.sql.setMeta.run("next", core.nextSeq);
      if (!memory) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // A full disk or a reader: the log stays and is read at the next open.
    }
  }
  release();
  post({ kind: "closed" });
  port.close();
}

port.on("message", (message: ToWriter) => {
  if (message.kind === "batch") commitAll(message);
  else if (message.kind === "recover") recover(message.now, message.attempts, message.policies);
  else close();
});

open();
