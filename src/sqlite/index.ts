/** Floor 4: jobs, and the application's own tables, in one SQLite file. */
export type { SqliteKvOptions } from "./kv.ts";
export { sqliteLimits, type SqliteLimits } from "./limits.ts";
export type { SqlChanges, SqlValue } from "./protocol.ts";
export {
  sqlite,
  type SqliteOptions,
  type SqliteStore,
  type SqlRejected,
  type SqlTransaction,
  type TransactionReceipt,
} from "./store.ts";
