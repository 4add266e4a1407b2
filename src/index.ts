/**
 * The root face: what `import { … } from "tensile"` gives. Written by hand, named exports only, importable where there is
 * no Node: whatever needs `node:` modules is loaded by a dynamic import inside the function that needs it.
 */
export {
  all,
  andThen,
  attempt,
  durationMs,
  err,
  Fault,
  kinds,
  map,
  mapErr,
  match,
  matchFault,
  ok,
  systemClock,
  type AnyFault,
  type Clock,
  type Duration,
  type FaultOf,
  type Kind,
  type Result,
  type ValueOf,
} from "./core/index.ts";
