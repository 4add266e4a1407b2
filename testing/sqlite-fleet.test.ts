/**
 * Processes that share an SQLite file against the suite for fleets: real ones, killed with SIGKILL and stopped with SIGSTOP. In the first run one process more
 * owns the file, so that all of the suite's are guests; in the second the first of them is the owner.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { sleep, systemClock, type ManualClock } from "../src/core/index.ts";
import type { StoreOpenOptions } from "../src/jobs/index.ts";
import { fleetConformance } from "../src/testing/fleet-conformance.ts";
import { shareCases } from "../src/testing/fleet-cases-share.ts";
import { withFleet, type FleetPlace } from "../src/testing/fleet-harness.ts";
import { value } from "../src/testing/store-harness.ts";
import type { OpenOrder } from "./sqlite-shared-child.ts";
import { follow, SharedProcess } from "./sqlite-processes.ts";

const leaseMs = 4_000;
/** Those of the suite, and of what it looks with. */
const names = ["a", "b", "z", "~sentinel"];

function orderOf(file: string, { clock, maxAttempts, policy, maxWaiting }: StoreOpenOptions): OpenOrder {
  const policies = Object.fromEntries(names.map((name) => [name, policy?.(name)]));
  return { file, leaseMs, now: clock.now(), attempts: maxAttempts("a"), policies, maxWaiting };
}

async function fleetPlace(ownerBesides: boolean): Promise<FleetPlace> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-fleet-"));
  const file = join(folder, "jobs.db");
  const all = new Set<SharedProcess>();
  let owner: SharedProcess | undefined;
  const start = (): SharedProcess => {
    const process = SharedProcess.take();
    all.add(process);
    return process;
  };
  return {
    leaseMs,
    seesDeath: true,
    process() {
      const process = start();
      return {
        store: {
          kind: "sqlite",
          async open(options) {
            if (all.size === 1) follow(options.clock as ManualClock, () => all);
            if (ownerBesides && owner === undefined) value(await (owner = start()).open(orderOf(file, options)));
            return process.open(orderOf(file, options));
          },
        },
        kill: () => process.kill(),
        freeze: () => process.freeze(),
        thaw: () => process.thaw(),
      };
    },
    /** Only for who stands still does it matter how long it takes. */
    async beat() {
      if ([...all].some(({ frozen }) => frozen)) await sleep(systemClock, leaseMs / 8);
    },
    async remove() {
      await owner?.giveBack();
      await rm(folder, { recursive: true });
    },
  };
}

fleetConformance("SQLite (guests)", () => fleetPlace(true));
describe("a fleet on the SQLite store: an owner and its guest", () => shareCases(withFleet(() => fleetPlace(false))));
