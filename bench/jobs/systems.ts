/** The systems of the `jobs` benchmark, and how each is kept busy. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tensileVersion } from "../environment.ts";
import { peerVersion } from "../peers.ts";
import type { ServerProgram } from "../server-program.ts";
import type { RunOrder } from "./protocol.ts";
import { redisVersion, type RedisSync, startRedis } from "./redis.ts";

export type Load = Pick<RunOrder, "batch" | "unacknowledged" | "waiting">;

export interface System {
  readonly name: string;
  readonly file: string;
  readonly peer: boolean;
  readonly version: () => string;
  /** How it is kept busy without growing a backlog. */
  readonly single: Load;
  readonly bulk: Load;
  /** What its process is given to answer the API on a thread of its own; absent where it cannot. */
  readonly threaded?: (folder: string) => readonly string[];
  /** Why it cannot run here; undefined when it can. */
  readonly missing?: () => string | undefined;
  /** What is started for it, and what its process is given. */
  readonly prepare: (
    folder: string,
  ) => Promise<{ readonly arguments: readonly string[]; readonly server?: ServerProgram }>;
}

const path = (to: string): string => fileURLToPath(new URL(to, import.meta.url));

const plainjob = (durability: "full" | "normal"): Omit<System, "name"> => ({
  file: path("../peers/jobs/plainjob.js"),
  peer: true,
  version: () => `${peerVersion("plainjob")} on better-sqlite3 ${peerVersion("better-sqlite3")}`,
  // It blocks until each commit, so more calls at once would only let its worker starve.
  single: { batch: 1, unacknowledged: 1, waiting: 100 },
  bulk: { batch: 500, unacknowledged: 500, waiting: 500 },
  prepare: async (folder) => ({ arguments: [join(folder, "jobs.db"), durability] }),
});

const bullmq = (sync: RedisSync): Omit<System, "name"> => ({
  file: path("../peers/jobs/bullmq.js"),
  peer: true,
  version: () => `${peerVersion("bullmq")} on Redis ${redisVersion() ?? "missing"}`,
  single: { batch: 1, unacknowledged: 500, waiting: 2_000 },
  bulk: { batch: 500, unacknowledged: 2_000, waiting: 5_000 },
  missing: () => (redisVersion() === undefined ? "there is no redis-server on this machine" : undefined),
  prepare: async (folder) => {
    const server = await startRedis(folder, sync);
    return { arguments: [server.socket, sync], server };
  },
});

export const systems: readonly System[] = [
  {
    name: "tensile",
    file: path("./tensile.ts"),
    peer: false,
    version: tensileVersion,
    single: { batch: 1, unacknowledged: 2_000, waiting: 5_000 },
    bulk: { batch: 500, unacknowledged: 5_000, waiting: 10_000 },
    prepare: async (folder) => ({ arguments: [join(folder, "jobs.db")] }),
    threaded: (folder) => [join(folder, "threaded.db"), "threads"],
  },
  { name: "plainjob", ...plainjob("full") },
  { name: "plainjob-normal", ...plainjob("normal") },
  { name: "bullmq-always", ...bullmq("always") },
  { name: "bullmq-everysec", ...bullmq("everysec") },
];
