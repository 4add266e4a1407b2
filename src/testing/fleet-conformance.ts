/** One suite for every store that several processes may share: what the seam promises to a fleet, as tests. */
import { describe } from "node:test";
import { leaseCases } from "./fleet-cases-lease.ts";
import { shareCases } from "./fleet-cases-share.ts";
import { withFleet, type MakeFleetPlace } from "./fleet-harness.ts";

export type { FleetPlace, FleetProcess, MakeFleetPlace } from "./fleet-harness.ts";

/**
 * Registers the suite with `node:test`.
 *
 * @example
 * fleetConformance("memory", async () => {
 *   const fleet = memoryFleet();
 *   const process = () => {
 *     const store = fleet.process();
 *     return { store, kill: store.kill, freeze: store.freeze, thaw: store.thaw };
 *   };
 *   return { leaseMs: fleet.leaseMs, process, remove: async () => undefined };
 * });
 */
export function fleetConformance(name: string, makePlace: MakeFleetPlace): void {
  const fleet = withFleet(makePlace);
  describe(`a fleet on the ${name} store: what is shared`, () => shareCases(fleet));
  describe(`a fleet on the ${name} store: leases`, () => leaseCases(fleet));
}
