/** Where chaos can be: an SQLite file with one owner, a PostgreSQL with three workers. */
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { systemClock } from "../../src/core/index.ts";
import type { JobRecord, Store } from "../../src/jobs/index.ts";
import { postgres } from "../../src/postgres/index.ts";
import { sqlite } from "../../src/sqlite/index.ts";
import { type PostgresKind, startPostgres } from "../postgres-server.ts";
import { attempts, kinds } from "./app.ts";
import type { ChaosPlace } from "./chaos.ts";

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

/** One process owns the file: it is killed and started again, and stands still, while producers go on. */
export function sqlitePlace(path: string): ChaosPlace {
  // The limits of keys and gates are on their way to this store.
  return {
    kind: "sqlite",
    address: path,
    workers: 1,
    kinds: ["plain", "unique"],
    faults: [],
    records: () => recordsOf(sqlite(path)),
  };
}

/** Three processes on one server, which is restarted as by a crash, loses its backends, and has no connection left for a while. */
export async function postgresPlace(kind: PostgresKind = "embedded"): Promise<ChaosPlace> {
  const server = await startPostgres(kind);
  const address = await server.database();
  return {
    kind: "postgres",
    address,
    workers: 3,
    leaseMs: 10_000,
    kinds,
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
    ],
    records: async () => {
      const records = await recordsOf(postgres(address));
      await server.remove();
      return records;
    },
  };
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
