/** Where chaos can be: three processes on one SQLite file, or on one PostgreSQL. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { type Random, systemClock } from "../../src/core/index.ts";
import type { JobRecord, Store } from "../../src/jobs/index.ts";
import { postgres } from "../../src/postgres/index.ts";
import { sqlite } from "../../src/sqlite/index.ts";
import { type PostgresKind, startPostgres } from "../postgres-server.ts";
import { attempts } from "./app.ts";
import type { ChaosPlace } from "./chaos.ts";
import type { SmallDisk } from "./small-disk.ts";

const kept = { ageMs: Infinity, count: 10_000_000 };

async function recordsOf(store: Store): Promise<readonly JobRecord[]> {
  const opened = await store.open({
    clock: systemClock,
    retention: { succeeded: kept, failed: kept, cancelled: kept },
    maxWaiting: 10_000_000,
    maxAttempts: () => attempts,
  });
  if (!opened.ok) throw new Error(`The store cannot be read: ${opened.fault.message}`);
  const records: JobRecord[] = [];
  try {
    for (let after: string | undefined; ;) {
      const page = await opened.value.list({ limit: 1_000, ...(after !== undefined && { after }) });
      if (!page.ok) throw new Error(`The store cannot be read: ${page.fault.message}`);
      records.push(...page.value);
      after = page.value.at(-1)?.id;
      if (page.value.length < 1_000) return records;
    }
  } finally {
    await opened.value.close();
  }
}

export interface PlaceOptions {
  /** Where the place makes its files, on a disk of its own where there can be one (`smallDisk`). */
  readonly disk: SmallDisk;
  readonly leaseMs?: number;
}

/** Three processes share one file: one owns it, the others reach it through that one and take over when it dies. */
export function sqlitePlace({ disk, leaseMs = 10_000 }: PlaceOptions): ChaosPlace {
  const path = join(disk.folder, "jobs.db");
  return {
    arguments: ["sqlite", path, String(leaseMs)],
    workers: 3,
    leaseMs,
    faults: fullDisk(disk),
    records: () => recordsOf(sqlite(path)),
  };
}

/** Three processes on one server, which is restarted as by a crash, loses its backends, has no connection left for a while, or no room. */
export async function postgresPlace(
  { disk, leaseMs = 10_000 }: PlaceOptions,
  kind: PostgresKind = "embedded",
): Promise<ChaosPlace> {
  const settings = ["max_wal_size=64MB", "min_wal_size=32MB"];
  const server = await startPostgres(kind, { parent: disk.folder, settings });
  const address = await server.database();
  return {
    arguments: ["postgres", address, String(leaseMs)],
    workers: 3,
    leaseMs,
    faults: [
      { name: "server restarted", act: () => server.restart("immediate") },
      {
        name: "backends killed",
        act: async () => {
          await server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
          );
        },
      },
      { name: "no connection left", act: (random) => exhaust(address, 500 + random.int(2_500)) },
      ...fullDisk(disk, () => server.revive()),
    ],
    records: async () => {
      const records = await recordsOf(postgres(address));
      await server.remove();
      return records;
    },
  };
}

function fullDisk(disk: SmallDisk, after: () => Promise<void> = () => Promise.resolve()): ChaosPlace["faults"] {
  if (!disk.isOwn) return [];
  const act = async (random: Random): Promise<void> => {
    const free = disk.fill();
    await wait(500 + random.int(2_500));
    free();
    await after();
  };
  return [{ name: "disk full", act }];
}

/** Takes every connection that there is, for so long. */
async function exhaust(address: string, ms: number): Promise<void> {
  const clients: pg.Client[] = [];
  for (let i = 0; i < 110; i++) {
    const client = new pg.Client({ connectionString: address });
    client.on("error", () => undefined);
    try {
      await client.connect();
    } catch {
      break;
    }
    clients.push(client);
  }
  await wait(ms);
  await Promise.all(clients.map((client) => client.end()));
}
