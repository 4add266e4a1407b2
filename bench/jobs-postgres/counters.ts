/** What the database says that a window cost: bytes of its log, commits, dead rows. */
import pg from "pg";

export interface Counters {
  readonly walBytes: number;
  readonly commits: number;
}

export interface Watch {
  read(): Promise<Counters>;
  /** In all tables of the database; waits until the backends have told their statistics. */
  deadRows(): Promise<number>;
  /** Holds a snapshot open, as a long report would, until the returned function is called. */
  holdSnapshot(): Promise<() => Promise<void>>;
  end(): Promise<void>;
}

export async function watch(connectionString: string): Promise<Watch> {
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    return client;
  };
  const client = await connect();
  const number = async (text: string): Promise<number> => {
    const { rows } = await client.query<{ value: string | null }>(`select (${text})::text as value`);
    return Number(rows[0]?.value ?? 0);
  };
  return {
    async read() {
      return {
        walBytes: await number("pg_current_wal_insert_lsn() - '0/0'"),
        commits: await number("select xact_commit from pg_stat_database where datname = current_database()"),
      };
    },
    async deadRows() {
      // A backend tells what it did at most once a second.
      await new Promise((done) => setTimeout(done, 1_500));
      return number("select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables");
    },
    async holdSnapshot() {
      const holder = await connect();
      await holder.query("begin isolation level repeatable read");
      await holder.query("select count(*) from pg_class");
      return async () => {
        await holder.query("rollback");
        await holder.end();
      };
    },
    end: () => client.end(),
  };
}
