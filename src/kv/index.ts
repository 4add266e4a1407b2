/** Floor 1: short-lived records, for sessions, rate limits and stored answers. */
export {
  checkRecord,
  roundingMs,
  type KvAdvanced,
  type KvEntry,
  type KvFault,
  type KvResult,
  type KvSetOptions,
  type KvStore,
  type KvWrite,
} from "./kv-store.ts";
export { memoryKv, type MemoryKv, type MemoryKvOptions } from "./memory-kv.ts";
