/** The store that an address names: a file, or a PostgreSQL database. */
import { existsSync } from "node:fs";
import { systemClock } from "../core/index.ts";
import type { MovableStore, StoreResult, StoreSession } from "../jobs/index.ts";
import { sqlite } from "../sqlite/index.ts";
import { Failure, Usage } from "./io.ts";

export interface StoreAt {
  readonly kind: string;
  readonly store: MovableStore;
}

/** `create`: a file that is not there yet is made. */
export async function storeAt(address: string | undefined, create = false): Promise<StoreAt> {
  if (address === undefined) throw new Usage("Which store? Give a file, or postgres://user@host/database.");
  if (/^postgres(ql)?:\/\//.test(address)) {
    const { postgres } = await import("../postgres/index.ts");
    // A few statements are not worth preparing, and so there may be a pooler between.
    return { kind: "postgres", store: postgres(address, { pooled: true }) };
  }
  if (!create && !existsSync(address)) throw new Failure(`There is no file ${address}.`);
  return { kind: "sqlite", store: sqlite(address, { shared: "visit" }) };
}

const forEver = { ageMs: Infinity, count: Infinity };

/** An open session that removes nothing, and gives up nothing that crashed: its app knows what to do with it. */
export async function openSession({ store }: StoreAt): Promise<StoreSession> {
  return required(
    await store.open({
      clock: systemClock,
      retention: { succeeded: forEver, failed: forEver, cancelled: forEver },
      maxWaiting: Infinity,
      maxAttempts: () => Infinity,
    }),
  );
}

/** The value, or the fault's sentence. */
export function required<T>(result: Awaited<StoreResult<T>>): T {
  if (result.ok) return result.value;
  const { fault } = result;
  throw new Failure("reason" in fault.data ? fault.data.reason : fault.message);
}
