/** Claims of plain jobs on PostgreSQL: in the commit of their enqueueing where there is room, and with a fence that a crash of the server does not set back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob, Consumer, StoreSession } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { postgresKinds, startPostgres, type PostgresKind } from "./postgres-server.ts";

for (const kind of postgresKinds()) describe(`claims on PostgreSQL (${kind})`, () => claimTests(kind));

/** A session, and the next job that it hands over. */
class Worker {
  readonly session: StoreSession;
  readonly consumer: Consumer;
  #next = Promise.withResolvers<ClaimedJob>();

  constructor(session: StoreSession) {
    this.session = session;
    this.consumer = session.consume({
      names: ["a"],
      onClaimed: (jobs) => this.#next.resolve(jobs[0] as ClaimedJob),
      onCancelRequested: () => undefined,
      onTrouble: () => undefined,
    });
  }

  static async open(url: string): Promise<Worker> {
    const keep = { ageMs: 1e9, count: 1e6 };
    const retention = { succeeded: keep, failed: keep, cancelled: keep };
    const opened = await postgres(url).open({ clock: systemClock, retention, maxWaiting: 1_000, maxAttempts: () => 9 });
    if (!opened.ok) throw new Error(String(opened.fault));
    return new Worker(opened.value);
  }

  async run(): Promise<ClaimedJob> {
    this.#next = Promise.withResolvers<ClaimedJob>();
    this.consumer.grant("a", 2);
    const enqueued = await this.session.enqueue([{ name: "a", priority: 5, payload: "{}" }]);
    assert.ok(enqueued.ok);
    const job = await this.#next.promise;
    assert.ok((await this.session.settle([{ job, to: "succeeded" }])).ok);
    return job;
  }
}

function claimTests(kind: PostgresKind): void {
  test("block and claim of a plain job are one commit; fences grow, beyond all that a crash of the server may have lost", async () => {
    const server = await startPostgres(kind);
    try {
      const url = await server.database();
      const database = new URL(url).pathname.slice(1);
      const worker = await Worker.open(url);
      const together = async (): Promise<number> => {
        const text =
          "SELECT count(*)::int AS n FROM tensile.block b JOIN tensile.claim c ON c.slot = b.slot AND c.block = b.seq WHERE b.xmin = c.xmin";
        const { rows } = await server.run(text, database);
        return (rows as { readonly n: number }[])[0]?.n ?? 0;
      };
      // The first ones may come before the process has looked once.
      const orders: number[] = [];
      while ((await together()) < 2) orders.push((await worker.run()).fence.order ?? NaN);
      assert.deepEqual(
        orders.toSorted((one, two) => one - two),
        orders,
      );
      await worker.session.close();
      await server.restart("immediate");
      const after = await Worker.open(url);
      const { order = NaN } = (await after.run()).fence;
      assert.ok(order > (orders.at(-1) ?? NaN) + 900_000_000, `${orders.join(" ")}, then ${order}`);
      await after.session.close();
    } finally {
      await server.remove();
    }
  });
}
