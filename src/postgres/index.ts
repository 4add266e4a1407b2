/** Floor 4: jobs in PostgreSQL. */
export type { PostgresConnection } from "./driver.ts";
export type { PostgresKvOptions } from "./kv.ts";
export { postgresLimits, type PostgresLimits } from "./limits.ts";
export { postgres, type PostgresOptions, type PostgresStore } from "./store.ts";
