import { fleetConformance } from "./fleet-conformance.ts";
import { memoryFleet } from "./memory-fleet.ts";

fleetConformance("memory", async () => {
  const fleet = memoryFleet();
  const process = () => {
    const store = fleet.process();
    return { store, kill: store.kill, freeze: store.freeze, thaw: store.thaw };
  };
  return { leaseMs: fleet.leaseMs, process, remove: async () => undefined };
});
