/** The numbers of job names, asked for once by every process; and what the process says their jobs share. */
import type { JobPolicy } from "../../jobs/index.ts";
import type { SqlRow } from "./codec.ts";
import { booleans, texts, type Statement } from "./pack.ts";
import { policyStatement } from "./statements.ts";

interface Named {
  readonly name: string;
  readonly tenant?: string;
}

export class Names {
  readonly #run: (statement: Statement) => Promise<readonly SqlRow[]>;
  readonly #policy: ((name: string) => JobPolicy | undefined) | undefined;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();
  /** Names whose jobs take turns by tenant. */
  readonly #fair = new Set<string>();
  readonly #asked = new Set<string>();

  constructor(
    run: (statement: Statement) => Promise<readonly SqlRow[]>,
    policy: ((name: string) => JobPolicy | undefined) | undefined,
  ) {
    this.#run = run;
    this.#policy = policy;
  }

  id(name: string): number {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`The job name "${name}" has no number yet.`);
    return id;
  }

  known(name: string): number | undefined {
    return this.#ids.get(name);
  }

  name(id: number): string {
    return this.#names.get(id) ?? "";
  }

  /** Whether all is known that their enqueueing or claiming needs. */
  know(jobs: readonly Named[]): boolean {
    for (const { name, tenant } of jobs)
      if (!this.#asked.has(name) || (tenant !== undefined && !this.#fair.has(name))) return false;
    return true;
  }

  async learn(jobs: readonly Named[]): Promise<void> {
    const wanted = new Map<string, boolean>();
    for (const job of jobs) {
      if (!this.know([job])) wanted.set(job.name, (wanted.get(job.name) ?? false) || job.tenant !== undefined);
    }
    const rows = await this.#run({
      text: "SELECT * FROM tensile.rows_names($1::text[], $2::boolean[])",
      params: [texts([...wanted.keys()]), booleans([...wanted.values()])],
    });
    for (const { name, id, fair, limited } of rows as readonly {
      name: string;
      id: number;
      fair: boolean;
      limited: boolean;
    }[]) {
      this.#ids.set(name, id);
      this.#names.set(id, name);
      if (fair) this.#fair.add(name);
      const policy = this.#policy?.(name);
      const first = !this.#asked.has(name);
      if (first && this.#policy !== undefined && (policy !== undefined || limited))
        await this.#run(policyStatement(name, policy));
      this.#asked.add(name);
    }
  }
}
