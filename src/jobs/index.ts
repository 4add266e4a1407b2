/** Floor 3: the job engine. Its face for stores is the store seam; for serve, the engine. */
export { CrashTally } from "./crash-tally.ts";
export { FinishList } from "./finish-list.ts";
export { isFinished, jobMoves, jobStates, moveJob, type JobMove, type JobState } from "./state.ts";
export type {
  AttemptError,
  Backlog,
  ClaimedJob,
  ConsumeOptions,
  Consumer,
  CrashedJobs,
  DependencyRecord,
  EnqueueReceipt,
  Fence,
  JobCounts,
  JobFilter,
  JobId,
  JobNote,
  JobPolicy,
  JobRecord,
  MovableStore,
  MovedJob,
  MoveRecord,
  KeyPolicy,
  NewJob,
  Rate,
  Retention,
  SettleReceipt,
  Settlement,
  Store,
  StoreFault,
  StoreFlow,
  StoreInspection,
  StoreOpenOptions,
  StoreResult,
  StoreSession,
  UniqueScope,
} from "./store.ts";
export { QueueFull, StoreUnavailable } from "./faults.ts";
// For serve: the way in, and the worker.
export { createJobs } from "./enqueue.ts";
export { attemptsOf, createJobEngine, type JobEngine } from "./engine.ts";
export { policyOf } from "./policy.ts";
export { withJobLimits, type JobLimits } from "./limits.ts";
export { openSealing, type Encryption, type Sealing } from "./sealing/index.ts";
