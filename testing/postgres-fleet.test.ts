/**
 * The PostgreSQL store against the suite for fleets: two stores on one database are two processes. Their heartbeats come from the test, since its time is
 * virtual; one that is killed or stands still sends none. `testing/chaos` does the same with real processes and signals.
 */
import { Life } from "../src/postgres/life.ts";
import { postgresLimits as limits } from "../src/postgres/limits.ts";
import { Session } from "../src/postgres/session.ts";
import { ok, type ManualClock } from "../src/core/index.ts";
import { fleetConformance } from "../src/testing/fleet-conformance.ts";
import type { FleetPlace } from "../src/testing/fleet-harness.ts";
import { DatabaseClock } from "./postgres-clock.ts";
import { emptyDatabase, openDatabase } from "./postgres-place.ts";
import { postgresKinds, type PostgresKind } from "./postgres-server.ts";

async function fleetPlace(kind: PostgresKind): Promise<FleetPlace> {
  const url = await openDatabase(kind);
  const beating = new Set<Life>();
  let time: Promise<DatabaseClock> | undefined;
  return {
    leaseMs: limits.leaseMs,
    process() {
      let life: Life | undefined;
      const hush = (): void => {
        if (life === undefined) return;
        life.fleet.hush();
        beating.delete(life);
      };
      return {
        store: {
          kind: "postgres",
          async open(options) {
            time ??= DatabaseClock.install(url, options.clock.now()).then((made) => {
              made.follow(options.clock as ManualClock);
              return made;
            });
            await time;
            life = new Life({ target: { url }, direct: undefined, schema: "tensile", pooled: false }, options);
            await life.begin();
            beating.add(life);
            return ok(new Session(life, options));
          },
        },
        kill: hush,
        freeze: hush,
        async thaw() {
          if (life === undefined) return;
          beating.add(life);
          await life.fleet.beat();
        },
      };
    },
    async beat() {
      for (const life of beating) await life.fleet.beat();
    },
    async remove() {
      await (await time)?.close();
      await emptyDatabase(url);
    },
  };
}

for (const kind of postgresKinds()) fleetConformance(`PostgreSQL (${kind})`, () => fleetPlace(kind));
