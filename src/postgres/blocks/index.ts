/** The block path: plain jobs, many in one row, appended to and never updated. */
import { blockFunctions } from "./functions.ts";
import { keyedFunctions, keyedSettings, keyedTables } from "./keyed.ts";
import { blockReads } from "./reads.ts";
import { blockTables } from "./tables.ts";

export { Ages } from "./ages.ts";
export { BlockPath } from "./block-path.ts";
export { hasSeparator, type Taking } from "./drafts.ts";
export { blockJobs } from "./holdings.ts";
export type { OnLost } from "./kept-claims.ts";
export { isSame, type KeyGate } from "./key-gate.ts";
export { KeyGates } from "./key-gates.ts";
export { blockRecordOf, type BlockRow } from "./record.ts";

/** SQL of the block path, after that of the row path and of the fleet. */
export const blockMigrations: readonly string[] = [
  blockTables + keyedTables,
  blockFunctions + blockReads + keyedFunctions + keyedSettings,
];
