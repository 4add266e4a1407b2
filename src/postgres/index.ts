/** Floor 4: jobs in PostgreSQL. */
export type { PostgresConnection } from "./driver.ts";
export type { PostgresKvOptions } from "./kv.ts";
export { postgresLimits, type PostgresLimits } from "./limits.ts";
export { postgres, type PostgresOptions, type PostgresStore, type PreparedRecord } from "./store.ts";
export {
  transactionOf,
  type DrizzleTransaction,
  type KyselyTransaction,
  type PgClient,
  type PostgresJsSql,
  type PostgresTransaction,
  type TransactionClient,
} from "./transaction.ts";
