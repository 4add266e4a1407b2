/** Floor 0: values, faults, time, chance, deadlines and the one lifecycle. Imports nothing. */
export { Fault, type AnyFault } from "./fault.ts";
export { kinds, type Kind } from "./kinds.ts";
export {
  Err,
  Ok,
  all,
  andThen,
  attempt,
  err,
  isPromiseLike,
  map,
  mapErr,
  ok,
  type FaultOf,
  type MaybePromise,
  type Result,
  type ValueOf,
} from "./result.ts";
export { match, matchFault } from "./match.ts";
export { joinBytes } from "./bytes.ts";
export { durationMs, type Duration } from "./duration.ts";
export { Timeouts, type TimeoutEntry } from "./timeouts.ts";
export { manualClock, sleep, systemClock, type Clock, type ManualClock, type Timer } from "./clock.ts";
export { Aborted, deadline, type AbortWhy, type Deadline } from "./deadline.ts";
export { lifecycle, type Lifecycle, type LifecyclePart, type StopReport } from "./lifecycle.ts";
export { randomHex, seededRandom, systemRandom, type Random } from "./random.ts";
export { NumberTable } from "./number-table.ts";
export { youngArray } from "./young-array.ts";
