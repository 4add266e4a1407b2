/**
 * One process owns a store file. The proof is a lock that the operating system takes back when the process dies, however it dies: a write transaction
 * held open on a small side file. Readers of the side file see who owns it.
 */
import { DatabaseSync } from "node:sqlite";
import { isBusy } from "./failures.ts";

export class Owned extends Error {}

export interface Ownership {
  release(): void;
}

/** @throws Owned when another process, or another store of this process, has the file. */
export function takeOwnership(path: string, pid: number): Ownership {
  const lock = new DatabaseSync(`${path}-owner`, { timeout: 0 });
  try {
    lock.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
    if (!begin(lock)) throw new Owned(ownedBy(path, lock));
    lock.exec("CREATE TABLE IF NOT EXISTS owner (pid INTEGER NOT NULL); DELETE FROM owner");
    lock.prepare("INSERT INTO owner VALUES (?)").run(pid);
    lock.exec("COMMIT");
    if (!begin(lock)) throw new Owned(ownedBy(path, lock));
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

function ownedBy(path: string, lock: DatabaseSync): string {
  let owner = "another process";
  try {
    const pid = lock.prepare("SELECT pid FROM owner").get()?.["pid"];
    if (pid !== undefined) owner = `process ${String(pid)}`;
  } catch {
    // The owner is just writing its number.
  }
  return `${path} is owned by ${owner}; stop it first, or give this program a file of its own. Reading the file is possible at any time.`;
}
