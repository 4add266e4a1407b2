/** For tests of apps and of stores: time by hand, a job store in memory, and the suite that every store passes. */
export { manualClock, type ManualClock } from "../core/index.ts";
export { memoryStore, type MemoryStore } from "./memory-store.ts";
export { memoryFleet, type MemoryFleet, type MemoryProcess } from "./memory-fleet.ts";
export { fleetConformance, type FleetPlace, type FleetProcess, type MakeFleetPlace } from "./fleet-conformance.ts";
export { testJobs, type DrainOptions, type RanJob, type TestJobs, type TestJobsOptions } from "./test-jobs.ts";
export { storeConformance, type MakePlace, type StorePlace } from "./store-conformance.ts";
export { kvConformance, type KvPlace } from "./kv-conformance.ts";
