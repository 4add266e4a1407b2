/**
 * Time for a PostgreSQL under test: the function that the store reads time with is replaced by one that reads a table, and a manual clock takes the
 * database along when it moves.
 */
import pg from "pg";
import type { ManualClock } from "../src/core/index.ts";

/** Of one database. `close` before the database is dropped. */
export class DatabaseClock {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /** The tables of the store are there already. */
  static async install(url: string, at: number): Promise<DatabaseClock> {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    await client.query(`
      CREATE TABLE IF NOT EXISTS tensile.test_clock (at bigint NOT NULL);
      DELETE FROM tensile.test_clock;
      INSERT INTO tensile.test_clock VALUES (${at});
      CREATE OR REPLACE FUNCTION tensile.now() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT at FROM tensile.test_clock'`);
    return new DatabaseClock(client);
  }

  async set(at: number): Promise<void> {
    await this.#client.query("UPDATE tensile.test_clock SET at = $1", [at]);
  }

  /** From now on the database is there first when `clock` is moved, so that timers see its new time. */
  follow(clock: ManualClock): void {
    const advance = clock.advance.bind(clock);
    clock.advance = async (ms) => {
      await this.set(clock.now() + ms);
      await advance(ms);
    };
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
