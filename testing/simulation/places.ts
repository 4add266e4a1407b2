/** Stores that a simulation can run on. */
import { memoryStore } from "../../src/testing/index.ts";
import type { SimulatedPlace } from "./simulate.ts";

/** One process at a time, as with a file; what was committed outlives it. */
export function memoryPlace(): SimulatedPlace {
  const store = memoryStore();
  return { features: new Set(["keys", "dependencies"]), workers: 1, store: () => store, kill: () => store.crash() };
}
