/** What the process may use, and the limits that follow from it. */
export { fittedLimits } from "./derive.ts";
export { readResources, type Resources } from "./resources.ts";
