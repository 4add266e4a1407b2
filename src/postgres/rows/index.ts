/** The row path: everything that is not a plain job lives here, one mutable row per job. */
import { rowClaim } from "./claim-sql.ts";
import { rowEnqueue } from "./enqueue-sql.ts";
import { rowFinish } from "./finish-sql.ts";
import { rowReads, rowViews } from "./read-sql.ts";
import { rowSettle } from "./settle-sql.ts";
export { errorText, isJobId } from "./codec.ts";
export { Blob, booleans, numbers } from "./pack.ts";
export { RowPath, type Turn } from "./row-path.ts";
export { last, type Position } from "./statements.ts";
import { rowTables, rowTally } from "./tables.ts";
export { tallySlot } from "./tables.ts";

/** SQL of the row path's schema, in the order in which it is applied; each one text of many statements. `tensile` is the schema's name. */
export const rowMigrations: readonly string[] = [
  rowTables + rowTally,
  rowViews + rowEnqueue + rowFinish + rowSettle + rowClaim + rowReads,
];
