/**
 * Files of a run on SQLite, on a disk that fails by lot: the process dies before a statement, or in the middle of a commit, and what it leaves is what a
 * process killed there leaves (the file, and a log that may end in half a page); or a statement finds the disk full, locked or broken, and SQLite has perhaps
 * rolled the transaction back by itself.
 */
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { World } from "./world.ts";

/** How often a statement fails, and before which one the process dies. */
export interface DiskFaults {
  failing(): number;
  dieAt(): number;
}

export class Died extends Error {}

const reasons = [
  [13, "database or disk is full"],
  [5, "database is locked"],
  [10, "disk I/O error"],
] as const;

export class Disk {
  readonly #world: World;
  readonly #folder: string;
  #generation = 0;
  #open: DatabaseSync | undefined;
  #faults: DiskFaults | undefined;
  #statements = 0;
  /** The process is dead: nothing more is done for it. */
  dead = false;
  /** Where the log ended when the process died in the middle of a commit. */
  #torn: number | undefined;
  /** For a mistake: what the last commits wrote is not on the disk yet. */
  readonly #lazy: boolean;
  failed = 0;

  constructor(world: World, { lazy = false }: { readonly lazy?: boolean } = {}) {
    this.#world = world;
    this.#lazy = lazy;
    // Memory, where there is such a disk: what is proved here is not about fsync.
    this.#folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "tensile-simulation-"));
  }

  get path(): string {
    return join(this.#folder, `${this.#generation}.db`);
  }

  /** A process begins. */
  begin(faults: DiskFaults): void {
    this.#faults = faults;
    this.#statements = 0;
    this.#torn = undefined;
    this.dead = false;
  }

  database(path: string, options: { readonly timeout: number }): DatabaseSync {
    const real = new DatabaseSync(path, options);
    this.#open = real;
    return new Proxy(real, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name === "exec") return (sql: string) => this.#statement(sql, () => target.exec(sql));
        if (name === "prepare") return (sql: string) => this.#prepared(sql, target.prepare(sql));
        return (...rest: unknown[]) => Reflect.apply(member, target, rest) as unknown;
      },
    });
  }

  /** The process is dead: what it leaves becomes what the next one finds. */
  leave(): void {
    this.dead = true;
    const from = this.path;
    this.#generation++;
    if (this.#open !== undefined) {
      copyFileSync(from, this.path);
      if (existsSync(`${from}-wal`)) this.#leaveLog(`${from}-wal`, `${this.path}-wal`);
      if (this.#open.isOpen) this.#open.close();
    }
    this.#open = undefined;
    for (const end of ["", "-wal", "-shm"]) rmSync(from + end, { force: true });
  }

  end(): void {
    if (this.#open?.isOpen === true) this.#open.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #leaveLog(from: string, to: string): void {
    copyFileSync(from, to);
    const { size } = statSync(to);
    if (this.#torn !== undefined) truncateSync(to, this.#torn);
    else if (this.#lazy) truncateSync(to, Math.max(0, size - 3 * 4_120));
    else if (this.#world.chance(0.3)) appendFileSync(to, new Uint8Array(this.#world.random.int(5_000)).fill(0x5a));
  }

  #prepared(sql: string, real: StatementSync): StatementSync {
    return new Proxy(real, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        const call = (...rest: unknown[]): unknown => Reflect.apply(member, target, rest);
        if (name !== "run" && name !== "get" && name !== "all" && name !== "iterate") return call;
        return (...rest: unknown[]) => this.#statement(sql, () => call(...rest));
      },
    });
  }

  #statement<T>(sql: string, act: () => T): T {
    if (this.dead) throw new Died();
    const faults = this.#faults;
    if (faults === undefined) return act();
    if (++this.#statements === faults.dieAt()) {
      if (sql === "COMMIT" && this.#world.chance(0.7)) this.#tear(act);
      this.dead = true;
      throw new Died();
    }
    // Taking back needs no room.
    if (!sql.startsWith("ROLLBACK") && this.#world.chance(faults.failing())) this.#fail();
    return act();
  }

  #fail(): never {
    const db = this.#open;
    if (db?.isTransaction === true && this.#world.chance(0.3)) db.exec("ROLLBACK");
    const [errcode, message] = reasons[this.#world.random.int(reasons.length)] ?? reasons[0];
    this.failed++;
    throw Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", errcode });
  }

  /** Some of what the commit wrote to the log has come there, unless the commit went on to empty the log. */
  #tear(commit: () => unknown): void {
    const log = `${this.path}-wal`;
    const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const before = sizeOf(log);
    const file = statSync(this.path, { bigint: true }).mtimeNs;
    commit();
    const after = sizeOf(log);
    if (after > before && statSync(this.path, { bigint: true }).mtimeNs === file)
      this.#torn = before + this.#world.random.int(after - before + 1);
  }
}
