/** Stores that a simulation can run on. */
import type { Store } from "../../src/jobs/index.ts";
import { memoryFleet, memoryStore } from "../../src/testing/index.ts";
import type { SimulatedPlace } from "./simulate.ts";

/** One process at a time, as with a file; what was committed outlives it. */
export function memoryPlace(): SimulatedPlace {
  const store = memoryStore();
  return { workers: 1, store: () => store, kill: () => store.crash() };
}

/** Three processes with leases: who is not heard of for so long loses what it had claimed to the others. */
export function fleetPlace(): SimulatedPlace {
  const fleet = memoryFleet({ leaseMs: 2_000 });
  const processes = new Map<Store, ReturnType<typeof fleet.process>>();
  return {
    workers: 3,
    leaseMs: fleet.leaseMs,
    store() {
      const process = fleet.process();
      processes.set(process, process);
      return process;
    },
    kill: (store) => processes.get(store)?.kill(),
    freeze: (store) => processes.get(store)?.freeze(),
    thaw: (store) => processes.get(store)?.thaw(),
  };
}
