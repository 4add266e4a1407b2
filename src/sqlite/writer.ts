/**
 * The writer: owns the database, commits in groups. Knows nothing of promises, handlers or threads: `writer-thread.ts` runs it on a thread of its own,
 * and the simulation beside other work, with a disk that fails.
 */
import { must } from "./must.ts";
import { statSync, type Stats } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Clock, Timer } from "../core/index.ts";
import type { CrashedJobs, JobPolicy } from "../jobs/index.ts";
import { Committer } from "./committer.ts";
import { unstarted, type Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { setPolicy } from "./limiting.ts";
import { sqliteCode } from "./failures.ts";
import { Owned, type Ownership } from "./ownership.ts";
import type { Batch, CommitReply, FromWriter, ToWriter, WriterOptions } from "./protocol.ts";
import { crashedNames, emptyCore, loadCore, recoverClaims } from "./recovery.ts";
import { createTables } from "./schema.ts";
import { Host } from "./share/host.ts";
import { Switchboard } from "./share/switchboard.ts";
import { ApplicationSql, migrate } from "./transaction.ts";
import { whyNotOpened } from "./why-not-opened.ts";

/** What the writer stands on. */
export interface WriterHost {
  readonly clock: Clock;
  post(message: FromWriter, transfer: ArrayBuffer[]): void;
  /** The next message that has come, if one has. */
  take(): ToWriter | undefined;
  /** Nothing more will be said. */
  end(): void;
  /** Blocks this thread. */
  pause(ms: number): void;
  database(path: string, options: { readonly timeout: number }): DatabaseSync;
  own(path: string, pid: number, shared: boolean): Ownership;
  /** The file is another process's. True: something else is done than to refuse it. */
  onOwned?(owned: Owned): boolean;
}

/** Commits between two looks at the length of the log. */
const logCheckEvery = 256;

export class Writer {
  readonly #host: WriterHost;
  readonly #options: WriterOptions;
  #ownership: Ownership | undefined;
  #db: DatabaseSync | undefined;
  #core: Core | undefined;
  #application: ApplicationSql | undefined;
  #committer: Committer | undefined;
  #names: readonly string[] = [];
  #idle: Timer | undefined;
  #uncheckedPages = false;
  /** The file that was opened, as against the one that has its name now. */
  #file: Stats | undefined;
  #longLog: string | undefined;
  /** Monotonic time at which the last commit began. */
  #beganAt = -Infinity;
  /** The other processes, while the file is shared. */
  #board: Switchboard | undefined;
  #sharing: Host | undefined;
  #commitPlanned = false;

  constructor(host: WriterHost, options: WriterOptions) {
    this.#host = host;
    this.#options = options;
  }

  receive(message: ToWriter): void {
    if (message.kind === "batch") this.#commitAll(message);
    else if (message.kind === "recover") this.#recover(message.now, message.attempts, message.policies);
    else if (message.kind === "close") this.#close(message.now);
  }

  open(): void {
    try {
      // Node 24.10 brought what keeps application statements away from the store's tables.
      if (typeof DatabaseSync.prototype.setAuthorizer !== "function") {
        throw new TypeError(`Node ${process.versions.node} is too old for tensile/sqlite: 24.10 or later is needed`);
      }
      const { path, pid, lockWaitMs } = this.#options;
      if (!this.#memory) this.#ownership = this.#host.own(path, pid, this.#options.shared === "yes");
      this.#db = this.#host.database(path, { timeout: lockWaitMs });
      const core = (this.#core = this.#prepare(this.#db));
      if (!this.#memory) this.#file = statSync(path);
      this.#names = crashedNames(core);
      this.#post({ kind: "names", names: this.#names, known: [...core.names.keys()] });
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  get #memory(): boolean {
    return this.#options.path === ":memory:";
  }

  #post(message: FromWriter, transfer: ArrayBuffer[] = []): void {
    this.#host.post(message, transfer);
  }

  #prepare(opened: DatabaseSync): Core {
    opened.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${this.#options.durability === "full" ? "FULL" : "NORMAL"};
       PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = ${limits.checkpointPages};`,
    );
    if (this.#options.maxPageCount !== undefined) opened.exec(`PRAGMA max_page_count = ${this.#options.maxPageCount}`);
    createTables(opened);
    this.#application = new ApplicationSql(opened);
    migrate(opened, this.#application, this.#options.migrations, this.#options.now);
    const made = emptyCore(opened, this.#options.retention);
    made.epoch = Number(made.sql.getMeta.get("epoch")?.value ?? 0) + 1;
    made.sql.setMeta.run("epoch", made.epoch);
    loadCore(made);
    return made;
  }

  #recover(now: number, attempts: readonly number[], policies: readonly (JobPolicy | undefined)[]): void {
    try {
      const core = must(this.#core);
      [...core.names.values()].forEach((name, index) => setPolicy(core, name, policies[index]));
      core.now = now;
      const crashed = recoverClaims(core, new Map(this.#names.map((name, index) => [name, must(attempts[index])])));
      this.#committer = new Committer(core, must(this.#application));
      if (this.#options.shared !== "yes") return this.#post(this.#opened(crashed));
      void this.#share().then(
        () => this.#post(this.#opened(crashed)),
        (thrown: unknown) => this.#refuse(thrown),
      );
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  #opened(crashed: readonly CrashedJobs[]): Extract<FromWriter, { kind: "opened" }> {
    const core = must(this.#core);
    const wakeAt = must(this.#committer).wakeAt();
    return { kind: "opened", epoch: core.epoch, waiting: unstarted(core), wakeAt, crashed, guest: false };
  }

  /** Lets other processes join. */
  async #share(): Promise<void> {
    const board = new Switchboard(must(this.#core), {
      committed: (reply) => this.#postReply(reply),
      notice: (notice) => this.#post(notice),
    });
    this.#sharing = new Host({
      file: this.#options.path,
      leaseMs: this.#options.leaseMs,
      migrations: this.#options.migrations.length,
      board,
      welcome: () => this.#opened([]),
      onWork: () => this.#planCommit(),
      onGone: () => {
        this.#post({ kind: "tick" });
        // The calling thread may be busy with something else.
        this.#host.clock.setTimer(limits.sharedTickMs, () => this.#planCommit());
      },
    });
    await this.#sharing.listen();
    this.#board = board;
  }

  /** What several processes have sent by the end of this turn of the loop goes into one commit. */
  #planCommit(): void {
    if (this.#commitPlanned) return;
    this.#commitPlanned = true;
    setImmediate(() => {
      this.#commitPlanned = false;
      if (this.#sharing !== undefined) this.#commitAll(undefined);
    });
  }

  #refuse(thrown: unknown): void {
    const reason = thrown instanceof Owned ? thrown.message : whyNotOpened(this.#options.path, thrown);
    this.#release();
    if (thrown instanceof Owned && this.#host.onOwned?.(thrown) === true) return;
    this.#post({
      kind: "refused",
      reason,
      programming: !(thrown instanceof Owned) && sqliteCode(thrown) === undefined,
    });
  }

  #release(): void {
    this.#idle?.cancel();
    this.#sharing?.close();
    this.#sharing = this.#board = undefined;
    if (this.#db !== undefined && this.#db.isOpen) this.#db.close();
    this.#ownership?.release();
    this.#db = undefined;
    this.#ownership = undefined;
  }

  /**
   * After a commit of middling size the next one keeps a distance, so that it carries more: a commit that carries little costs as much as one that
   * carries a hundred jobs. After a small one nothing waits, so a lone job is committed at once; after a large one there is nothing to gain.
   * Blocking hurts nobody: this thread has nothing else to do.
   */
  #keepDistance(): void {
    const { carried } = must(this.#committer);
    const { clock } = this.#host;
    const left = this.#beganAt + limits.commitGapMs - clock.monotonic();
    if (left > 0 && carried >= limits.commitGapFrom && carried < limits.commitGapTo) this.#host.pause(left);
    this.#beganAt = clock.monotonic();
  }

  /** Everything that waits at the port becomes one commit. */
  #commitAll(first: Batch | undefined): void {
    this.#keepDistance();
    const batches: Batch[] = first === undefined ? [] : [first];
    let closing: number | undefined;
    for (let next = this.#host.take(); next !== undefined; next = this.#host.take()) {
      if (next.kind === "batch") batches.push(next);
      else if (next.kind === "close") closing = next.now;
    }
    this.#sharing?.check();
    const reply = this.#commit(batches);
    if (this.#isReplaced()) return this.#giveUp();
    if (reply.commits % logCheckEvery === 0) this.#longLog = this.#checkLog();
    this.#tell(reply);
    this.#uncheckedPages = true;
    // A log that cannot grow may still be emptied into the file, and then begins anew.
    if (reply.trouble !== undefined) this.#checkpoint();
    if (closing !== undefined) return this.#close(closing);
    if (must(this.#committer).more) setImmediate(() => this.#db !== undefined && this.#commitAll(undefined));
    else this.#armIdle();
  }

  #commit(batches: readonly Batch[]): CommitReply {
    return must(this.#committer).commit(this.#board?.gather(batches) ?? batches);
  }

  #tell(reply: CommitReply): void {
    if (this.#board === undefined) this.#postReply(reply);
    else for (const own of this.#board.distribute(reply)) this.#postReply(own);
    this.#sharing?.committed();
  }

  #postReply(reply: CommitReply): void {
    const transfer = [...reply.arenas];
    if (reply.claim !== undefined) transfer.push(reply.claim.bytes);
    this.#post(this.#longLog === undefined ? reply : { ...reply, longLog: this.#longLog }, transfer);
  }

  /** A reader that stays keeps the log from being emptied. */
  #checkLog(): string | undefined {
    if (this.#memory) return undefined;
    const bytes = statSync(`${this.#options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes < limits.walAlertBytes) return undefined;
    return `the write-ahead log has ${Math.round(bytes / 1_048_576)} MB, because a connection that reads has not ended its transaction`;
  }

  /** Nothing to do for a while: empty the log now rather than in the middle of work. */
  #armIdle(): void {
    this.#idle?.cancel();
    this.#idle = this.#host.clock.setTimer(limits.idleCheckpointMs, () => {
      if (this.#uncheckedPages) this.#checkpoint();
    });
  }

  #checkpoint(): void {
    try {
      this.#db?.exec("PRAGMA wal_checkpoint(PASSIVE)");
      this.#uncheckedPages = false;
    } catch {
      // A full disk: nothing is lost, the pages stay in the log, and the commit that needs the room reports it.
    }
  }

  /** Whether the file was deleted, or another is in its place: what is committed now would be gone with the last handle to it. */
  #isReplaced(): boolean {
    if (this.#file === undefined) return false;
    const now = statSync(this.#options.path, { throwIfNoEntry: false });
    return now?.ino !== this.#file.ino || now.dev !== this.#file.dev;
  }

  /** Nothing that arrived is acknowledged; the calling thread starts a writer for the file that is there now. */
  #giveUp(): void {
    this.#release();
    const reason = `${this.#options.path} was deleted or replaced while it was in use, and what it held went with it`;
    this.#post({ kind: "refused", reason, programming: false });
  }

  /** `now`: the calling thread's time. */
  #close(now: number): void {
    if (this.#db !== undefined && this.#core !== undefined) {
      if (this.#board !== undefined && !this.#isReplaced()) {
        this.#board.end(now);
        this.#tell(this.#commit([]));
      }
      try {
        this.#core.sql.setMeta.run("next", this.#core.nextSeq);
        if (!this.#memory) this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // A full disk or a reader: the log stays and is read at the next open.
      }
    }
    this.#release();
    this.#post({ kind: "closed" });
    this.#host.end();
  }
}
