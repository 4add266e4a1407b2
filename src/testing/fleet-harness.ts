/** What the fleet's tests need: processes with a store each on one place, and time that they all share. */
import { manualClock, type ManualClock } from "../core/index.ts";
import type { Store } from "../jobs/index.ts";
import { StoreBench, type BenchOptions } from "./store-harness.ts";

/** A place that several processes share, or what stands for them in a test. */
export interface FleetPlace {
  /** How long a process is believed to live after it was last heard. */
  readonly leaseMs: number;
  /** The death of a process is found at once; the lease is for those that stand still. */
  readonly seesDeath?: boolean;
  process(): FleetProcess;
  /** Every process that lives and is not frozen renews its lease now, and rescues. For heartbeats that the clock of the options does not drive. */
  beat?(): Promise<void>;
  /** Removes the place. Every store on it is closed, killed or frozen. */
  remove(): Promise<void>;
}

export interface FleetProcess {
  readonly store: Store;
  /** Ends as `kill -9` would. */
  kill(): Promise<void> | void;
  /** No heartbeat and no claims, as under SIGSTOP; what the test calls is done all the same. */
  freeze(): Promise<void> | void;
  thaw(): Promise<void> | void;
}

export type MakeFleetPlace = () => Promise<FleetPlace>;

class FleetBench {
  readonly clock: ManualClock = manualClock();
  readonly #place: FleetPlace;
  readonly #options: BenchOptions;
  readonly #benches: StoreBench[] = [];

  constructor(place: FleetPlace, options: BenchOptions) {
    this.#place = place;
    this.#options = options;
  }

  get leaseMs(): number {
    return this.#place.leaseMs;
  }

  get seesDeath(): boolean {
    return this.#place.seesDeath === true;
  }

  /** One more process, with its store open. */
  async process(): Promise<{ readonly b: StoreBench; readonly process: FleetProcess }> {
    const process = this.#place.process();
    const place = { store: () => process.store, remove: async () => undefined };
    const b = new StoreBench(place, this.#options, this.clock);
    await b.open();
    this.#benches.push(b);
    return { b, process };
  }

  async two(): Promise<[StoreBench, StoreBench]> {
    return [(await this.process()).b, (await this.process()).b];
  }

  /** Lets time pass in steps in which the living are heard. */
  async pass(ms: number): Promise<void> {
    const step = this.#place.leaseMs / 8;
    for (let left = ms; left > 0; left -= step) {
      await this.clock.advance(Math.min(step, left));
      await this.#place.beat?.();
    }
  }

  async end(): Promise<void> {
    for (const bench of this.#benches) await bench.close();
    await this.#place.remove();
  }
}

export type WithFleet = (options: BenchOptions, run: (fleet: FleetBench) => Promise<void>) => () => Promise<void>;

export function withFleet(makePlace: MakeFleetPlace): WithFleet {
  return (options, run) => async () => {
    const fleet = new FleetBench(await makePlace(), options);
    try {
      await run(fleet);
    } finally {
      await fleet.end();
    }
  };
}
