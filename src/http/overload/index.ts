/** Admission: who is let in when there is more to do than can be done in time. */
export { OverloadGate, type AdmissionStats, type Endpoint, type Shed } from "./gate.ts";
export { resolveOverloadLimits, type OverloadLimits } from "./limits.ts";
