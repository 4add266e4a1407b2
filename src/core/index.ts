/** Floor 0: values, faults, time. Imports nothing. */
export { Fault, type AnyFault } from "./fault.ts";
export { kinds, type Kind, type KindRow } from "./kinds.ts";
export {
  Err,
  Ok,
  all,
  andThen,
  attempt,
  err,
  isPromiseLike,
  isResult,
  map,
  mapErr,
  ok,
  type FaultOf,
  type MaybePromise,
  type Result,
  type ValueOf,
} from "./result.ts";
export { match, matchFault } from "./match.ts";
export { durationMs, type Duration } from "./duration.ts";
export { manualClock, sleep, systemClock, type Clock, type ManualClock, type Timer } from "./clock.ts";
