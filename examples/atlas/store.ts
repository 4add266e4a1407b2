/**
 * Writing the atlas: transactions on the store's writer thread, which may hold jobs as well as rows.
 */
import { mapErr, matchFault, type EnqueueFault, type Result } from "tensile";
import type { SqliteStore, SqlRejected, SqlTransaction, TransactionReceipt } from "tensile/sqlite";
import { StoreBusy } from "./contract.ts";

type Busy = ReturnType<typeof StoreBusy> | Extract<EnqueueFault, { code: "INVALID_INPUT" }>;

/** What became of one job of a transaction. */
export type Receipt = TransactionReceipt["jobs"][number];

/** The rows and jobs that `build` names, together or not at all. Resolves after the commit. */
export async function save(
  store: SqliteStore,
  build: (tx: SqlTransaction) => void,
): Promise<Result<TransactionReceipt, Busy>> {
  return mapErr(await store.transaction(build), busy);
}

/** What the store's own faults mean to callers of this API. */
export function busy(fault: EnqueueFault | SqlRejected): Busy {
  return matchFault<EnqueueFault | SqlRejected, Busy>(fault, {
    INVALID_INPUT: (invalid) => invalid,
    STORE_UNAVAILABLE: () => StoreBusy({ retryAfter: 5_000 }),
    QUEUE_FULL: ({ data }) => StoreBusy({ retryAfter: data.retryAfterMs }),
    // Our own SQL was refused: a mistake in this program, which no caller can do anything about.
    SQL_REJECTED: ({ data }) => {
      throw new TypeError(data.reason);
    },
  });
}
