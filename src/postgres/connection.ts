/**
 * One connection that mends itself: statements go out at once, one behind the other without waiting for answers (pipelining), and when it breaks, all
 * that wait are told, and the next statement connects again, at most every so often.
 */
import { systemClock } from "../core/index.ts";
import { loadDriver, typesOf, type Client, type PostgresConnection, type Statement } from "./driver.ts";
import { postgresLimits as limits } from "./limits.ts";
import { Silence } from "./silence.ts";
import { isBroken, isForeignStatement, reasonOf, Unreachable, whyNotConnected } from "./trouble.ts";

export type SqlParameter = string | number | boolean | Buffer | null | undefined | readonly (string | number | null)[];

/** Whatever runs one statement. `text` is a constant of the program: it is prepared once per connection and kept. */
export interface Sql {
  run<Row>(text: string, values?: readonly SqlParameter[]): Promise<readonly Row[]>;
}

export interface ConnectionOptions {
  readonly target: PostgresConnection;
  readonly name: string;
  /** Where the tables are: `tensile.` in a statement stands for it. */
  readonly schema: string;
  /** No named statements: there is a pooler between. Found out by itself as well. */
  readonly pooled: boolean;
  /** Milliseconds without an answer after which it counts as broken. `statementMs` of the limits when absent. */
  readonly statementMs?: number;
  readonly onConnected?: (client: Client) => Promise<void> | void;
  readonly onBroken?: (reason: string) => void;
}

export class Connection implements Sql {
  readonly #options: ConnectionOptions;
  readonly #names = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  #pooled: boolean;
  #client: Client | undefined;
  #connecting: Promise<Client> | undefined;
  readonly #silences = new WeakMap<Client, Silence>();
  #retryAt = 0;
  #failures = 0;
  #reason = "";
  #busy = 0;
  #held = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#pooled = options.pooled;
  }

  /** Why the last attempt to connect failed; undefined while it is connected or was never tried. */
  get trouble(): string | undefined {
    return this.#failures === 0 ? undefined : this.#reason;
  }

  async run<Row>(text: string, values: readonly SqlParameter[] = []): Promise<readonly Row[]> {
    const client = this.#client ?? (await this.#connect());
    try {
      return await this.#send<Row>(client, text, values);
    } catch (error) {
      // The backend behind the pooler did not know the statement, so it was not run.
      if (error instanceof Unreachable && isForeignStatement(error.cause)) return this.run<Row>(text, values);
      throw error;
    }
  }

  /**
   * A transaction, in one round trip: all statements go out together, between BEGIN and COMMIT. Resolves with the rows of each; when one fails, none was
   * kept. Do not use for statements that need the answer of another: that is a function, or a CTE.
   */
  async together(statements: readonly { text: string; values?: readonly SqlParameter[] }[]): Promise<unknown[][]> {
    const client = this.#client ?? (await this.#connect());
    const answers = [
      this.#send(client, "BEGIN", []),
      ...statements.map(({ text, values }) => this.#send(client, text, values ?? [])),
      this.#send(client, "COMMIT", []),
    ];
    const settled = await Promise.allSettled(answers);
    for (const answer of settled) if (answer.status === "rejected") throw answer.reason as Error;
    return settled
      .slice(1, -1)
      .map((answer) => (answer as PromiseFulfilledResult<readonly unknown[]>).value as unknown[]);
  }

  /** Whether it keeps the process alive while nothing is under way. */
  hold(alive: boolean): void {
    this.#held = alive;
    this.#reference();
  }

  async close(): Promise<void> {
    this.#closed = true;
    // The end of the connection is waited for, so it keeps the process alive until then.
    this.hold(true);
    const client = this.#client ?? (await this.#connecting?.catch(() => undefined));
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #send<Row>(client: Client, text: string, values: readonly SqlParameter[]): Promise<readonly Row[]> {
    this.#busy++;
    this.#reference();
    const pooled = this.#pooled;
    try {
      const statement = { text: this.#textOf(text), values: values as unknown[] };
      return (await this.#ask(client, pooled ? statement : { ...statement, name: this.#nameOf(text) })) as Row[];
    } catch (error) {
      if (!pooled && isForeignStatement(error)) {
        this.#pooled = true;
        this.#drop(client, "a pooler in transaction mode is between");
        throw new Unreachable("a pooler in transaction mode is between; statements are no longer prepared", {
          cause: error,
        });
      }
      if (!isBroken(error)) throw error;
      this.#drop(client, reasonOf(error));
      throw new Unreachable(reasonOf(error), { cause: error });
    } finally {
      this.#busy--;
      this.#reference();
    }
  }

  #ask(client: Client, statement: Statement): Promise<readonly unknown[]> {
    const silence = this.#silences.get(client);
    silence?.sent();
    return new Promise((resolve, reject) => {
      client.query(statement, (error, answer) => {
        silence?.heard();
        if (error === null) resolve(answer?.rows ?? []);
        else reject(error);
      });
    });
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) this.#names.set(text, (name = `tensile_${this.#names.size + 1}`));
    return name;
  }

  #textOf(text: string): string {
    if (this.#options.schema === "tensile") return text;
    let own = this.#texts.get(text);
    if (own === undefined) this.#texts.set(text, (own = inSchema(text, this.#options.schema)));
    return own;
  }

  #connect(): Promise<Client> {
    if (this.#closed) return Promise.reject(new Unreachable("it is closed"));
    if (this.#connecting !== undefined) return this.#connecting;
    if (systemClock.monotonic() < this.#retryAt) return Promise.reject(new Unreachable(this.#reason));
    return (this.#connecting = this.#open().finally(() => (this.#connecting = undefined)));
  }

  async #open(): Promise<Client> {
    const { target, onConnected, statementMs = limits.statementMs } = this.#options;
    const driver = await loadDriver();
    const client = new driver.Client({
      connectionString: target.url,
      ...(target.password === undefined ? undefined : { password: target.password }),
      ...(target.ssl === undefined ? undefined : { ssl: target.ssl }),
      application_name: this.#options.name,
      connectionTimeoutMillis: limits.connectMs,
      keepAlive: true,
      pipeline: true,
      types: typesOf(driver),
    });
    const silence = new Silence(statementMs, () => client.connection.stream.destroy(new Error(silent)));
    this.#silences.set(client, silence);
    client.on("error", (error) => this.#drop(client, reasonOf(error)));
    client.on("end", () => {
      silence.end();
      this.#drop(client, "the connection was closed");
    });
    try {
      await client.connect();
      // What is compiled (JIT) takes a second longer: see `neverCompiled`, which is all that holds behind a pooler.
      if (!this.#pooled) await client.query({ text: "SET jit = off", query_timeout: statementMs });
      await onConnected?.(client);
    } catch (error) {
      const reason = whyNotConnected(error, target.url);
      this.#failed(reason);
      void client.end().catch(() => undefined);
      throw new Unreachable(reason, { cause: error });
    }
    this.#client = client;
    this.#failures = 0;
    this.#retryAt = 0;
    this.#reference();
    return client;
  }

  /** The next try is later each time, up to a bound; the first one after a break is at once. */
  #failed(reason: string): void {
    this.#reason = reason;
    const pause = Math.min(limits.reconnectMostMs, limits.reconnectLeastMs * 2 ** this.#failures++);
    this.#retryAt = systemClock.monotonic() + pause;
  }

  #drop(client: Client, reason: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    void client.end().catch(() => undefined);
    if (!this.#closed) this.#options.onBroken?.(reason);
  }

  #reference(): void {
    const client = this.#client;
    if (this.#held || this.#busy > 0) client?.ref();
    else client?.unref();
  }
}

const silent = "it did not answer in time";

/** `tensile.` in the texts of this store stands for the schema that the tables are in. */
export function inSchema(text: string, schema: string): string {
  return schema === "tensile" ? text : text.replaceAll(/\btensile\./g, `"${schema}".`);
}
