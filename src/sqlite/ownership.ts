/**
 * One process owns a store file. The proof is a lock that the operating system takes back when the process dies, however it dies: a write transaction
 * held open on a small side file. Readers of the side file see who owns it.
 */
import { DatabaseSync } from "node:sqlite";
import { isBusy } from "./failures.ts";

export class Owned extends Error {
  readonly owner: string;
  /** Whether the owner lets others join; undefined where it cannot be told. */
  readonly shared: boolean | undefined;

  constructor(path: string, owner: string, shared: boolean | undefined) {
    const way =
      shared === true
        ? "open the store with `shared: true` as it does"
        : "stop it first, give this program a file of its own, or open the store with `shared: true` in both";
    super(`${path} is owned by ${owner}; ${way}. Reading the file is possible at any time.`);
    this.owner = owner;
    this.shared = shared;
  }
}

export interface Ownership {
  release(): void;
}

/** @throws Owned when another process, or another store of this process, has the file. */
export function takeOwnership(path: string, pid: number, shared = false): Ownership {
  const lock = new DatabaseSync(`${path}-owner`, { timeout: 0 });
  try {
    lock.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
    if (!begin(lock)) throw ownedBy(path, lock);
    // Made anew, because an earlier version had fewer columns.
    lock.exec("DROP TABLE IF EXISTS owner; CREATE TABLE owner (pid INTEGER NOT NULL, shared INTEGER NOT NULL)");
    lock.prepare("INSERT INTO owner VALUES (?, ?)").run(pid, shared ? 1 : 0);
    lock.exec("COMMIT");
    if (!begin(lock)) throw ownedBy(path, lock);
    return {
      release() {
        if (lock.isTransaction) lock.exec("ROLLBACK");
        lock.close();
      },
    };
  } catch (thrown) {
    lock.close();
    throw thrown;
  }
}

function begin(lock: DatabaseSync): boolean {
  try {
    lock.exec("BEGIN IMMEDIATE");
    return true;
  } catch (thrown) {
    if (isBusy(thrown)) return false;
    throw thrown;
  }
}

function ownedBy(path: string, lock: DatabaseSync): Owned {
  try {
    const row = lock.prepare("SELECT * FROM owner").get();
    if (row !== undefined) return new Owned(path, `process ${String(row["pid"])}`, row["shared"] === 1);
  } catch {
    // The owner is just writing its number.
  }
  return new Owned(path, "another process", undefined);
}
