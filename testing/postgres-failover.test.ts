/**
 * A failover: the server that everybody is connected to is gone, and the one that followed it takes over behind the same address. Before that the address leads for a
 * while to a server that takes no writes. What was acknowledged runs, and is finished once.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { contract, implementContract, job } from "../src/contract/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { postgresKinds, startPostgres } from "./postgres-server.ts";
import { until, workerOn } from "./worker-place.ts";

/** An address that leads where it is told to, as a virtual one does. */
async function movable(port: number) {
  let to = port;
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as { readonly port: number };
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: (database: string): string => `postgres://tensile@127.0.0.1:${own}/${database}`,
    move(next: number): void {
      to = next;
      cut();
    },
    close(): void {
      server.close();
      cut();
    },
  };
}

for (const kind of postgresKinds())
  test(`what was acknowledged runs after a failover of PostgreSQL (${kind}), and is finished once`, async () => {
    const primary = await startPostgres(kind);
    const database = new URL(await primary.database()).pathname.slice(1);
    const standby = await primary.standby();
    // What is acknowledged is on both.
    await primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await primary.run("SELECT pg_reload_conf()");
    const address = await movable(primary.port);
    const runs = new Map<number, number>();
    const overtaken = Promise.withResolvers<void>();
    const members = {
      quick: job("quick", { input: { n: t.int() } }),
      keyed: job("keyed", { input: { n: t.int() }, key: ({ n }) => `k${n % 7}`, perKey: { concurrency: 1 } }),
      long: job("long", { input: {} }),
    };
    const count = async ({ input: { n } }: { readonly input: { readonly n: number } }) =>
      void runs.set(n, (runs.get(n) ?? 0) + 1);
    const app = contract("failover.v1", members);
    const handlers = { quick: count, keyed: count, long: () => overtaken.promise };
    const worker = await workerOn(postgres(address.url(database)), app, implementContract(app, { handlers }));
    const { jobs, session } = worker;
    const acknowledged: number[] = [];
    let refused = 0;
    let sent = 0;
    let producing = true;
    const produce = async (): Promise<void> => {
      while (producing) {
        const n = sent++;
        const made = await jobs.enqueue(n % 3 === 0 ? members.keyed : members.quick, { n });
        if (made.ok) acknowledged.push(n);
        else refused++;
      }
    };
    const goes = async (): Promise<void> => {
      const before = acknowledged.length;
      await until(() => acknowledged.length >= before + 200);
    };
    try {
      const long = value(await jobs.enqueue(members.long, {}));
      const producers = [produce(), produce(), produce()];
      await goes();
      address.move(standby.port);
      await until(() => refused > 0);
      await primary.halt("immediate");
      await standby.run("SELECT pg_promote()");
      await goes();
      overtaken.resolve();
      producing = false;
      await Promise.all(producers);
      await until(async () => (await jobs.counts()).ok && value(await jobs.counts()).running === 0);
      await until(() => acknowledged.every((n) => runs.has(n)));
      await until(async () => {
        const { ready, running, scheduled, waiting } = value(await jobs.counts());
        return ready + running + scheduled + waiting === 0;
      });
      const { succeeded, failed, cancelled } = value(await jobs.counts());
      assert.deepEqual([failed, cancelled], [0, 0]);
      // Those that were refused may have been committed nevertheless.
      const all = acknowledged.length + 1;
      assert.ok(succeeded >= all && succeeded <= all + refused, `${succeeded} of ${all} and ${refused} refused`);
      assert.equal(value(await session.get(long.id))?.state, "succeeded");
      const { rows } = await standby.run(
        "SELECT (SELECT sum(n) FROM tensile.block)::int AS jobs, (SELECT sum(n) FROM tensile.outcome)::int AS ends",
        database,
      );
      const [{ jobs: inBlocks, ends }] = rows as [{ jobs: number; ends: number }];
      assert.equal(ends, inBlocks);
    } finally {
      producing = false;
      overtaken.resolve();
      await worker.end();
      address.close();
      await standby.remove();
      await primary.remove();
    }
  });
