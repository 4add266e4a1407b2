/** The systems of the `jobs-postgres` benchmark, and how each is kept busy. */
import { fileURLToPath } from "node:url";
import { tensileVersion } from "../environment.ts";
import type { Load } from "../jobs/systems.ts";
import { peerVersion } from "../peers.ts";

export interface PostgresSystem {
  readonly name: string;
  readonly file: string;
  /** Given to its process after the database's address. */
  readonly mode: string;
  readonly peer: boolean;
  readonly version: () => string;
  readonly single: Load;
  readonly bulk: Load;
  /**
   * `full`: every case. `plain`: without the deep backlog. `slow`: as it comes it runs so few jobs that only the two
   * cases with single jobs say anything.
   */
  readonly cases: "full" | "plain" | "slow";
}

const path = (to: string): string => fileURLToPath(new URL(to, import.meta.url));
const graphile = {
  file: path("../peers/jobs/graphile-worker.js"),
  peer: true,
  version: () => peerVersion("graphile-worker"),
  single: { batch: 1, unacknowledged: 100, waiting: 2_000 },
  bulk: { batch: 500, unacknowledged: 2_000, waiting: 2_000 },
};
const pgBoss = {
  file: path("../peers/jobs/pg-boss.js"),
  peer: true,
  version: () => peerVersion("pg-boss"),
  single: { batch: 1, unacknowledged: 100, waiting: 2_000 },
  bulk: { batch: 500, unacknowledged: 2_000, waiting: 2_000 },
};

export const systems: readonly PostgresSystem[] = [
  {
    name: "tensile",
    file: path("./tensile.ts"),
    mode: "",
    peer: false,
    version: tensileVersion,
    single: { batch: 1, unacknowledged: 2_000, waiting: 2_000 },
    bulk: { batch: 500, unacknowledged: 5_000, waiting: 10_000 },
    cases: "full",
  },
  { name: "graphile-worker", mode: "plain", cases: "plain", ...graphile },
  { name: "graphile-worker-batched", mode: "batched", cases: "full", ...graphile },
  { name: "pg-boss", mode: "tuned", cases: "full", ...pgBoss },
  {
    name: "pg-boss-default",
    mode: "default",
    cases: "slow",
    ...pgBoss,
    single: { batch: 1, unacknowledged: 1, waiting: 2 },
  },
];
