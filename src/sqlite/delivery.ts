/** Who consumes an open store: its credit, the jobs that it is handed, and, where the file is another process's, which of them it runs. */
import { must } from "./must.ts";
import type { ConsumeOptions, Consumer, JobId, Settlement, StoreFault } from "../jobs/index.ts";
import type { SlottedJob } from "./claimed.ts";

export interface DeliveryHost {
  /** Sends credit to the writer, unless it is gone. */
  readonly grant: (name: string, credit: number) => void;
  /** Takes back all credit. */
  readonly stop: () => Promise<void>;
  /** A consumer has come or gone. */
  readonly onChange: () => void;
  /** Nobody consumes any more: these go back. */
  readonly handBack: (jobs: readonly SlottedJob[]) => void;
}

export class Delivery {
  readonly #host: DeliveryHost;
  #consumer: { readonly options: ConsumeOptions; readonly credit: Map<string, number> } | undefined;
  /** What runs here by leave of another process, which may be lost. */
  #held: Set<JobId> | undefined;

  constructor(host: DeliveryHost) {
    this.#host = host;
  }

  get consumed(): boolean {
    return this.#consumer !== undefined;
  }

  consume(options: ConsumeOptions): Consumer {
    if (this.#consumer !== undefined)
      throw new TypeError("This store is being consumed already. Stop the first consumer before starting another.");
    const consumer = { options, credit: new Map<string, number>() };
    this.#consumer = consumer;
    this.#host.onChange();
    return {
      grant: (name, credit) => {
        if (this.#consumer !== consumer || credit === 0) return;
        if (!options.names.includes(name))
          throw new TypeError(`Credit for "${name}", which is not among the names of consume().`);
        consumer.credit.set(name, (consumer.credit.get(name) ?? 0) + credit);
        this.#host.grant(name, credit);
      },
      stop: async () => {
        if (this.#consumer !== consumer) return;
        // What was claimed before the writer hears of this still arrives first.
        await this.#host.stop();
        if (this.#consumer === consumer) this.#consumer = undefined;
        this.#host.onChange();
      },
    };
  }

  /** The writer knows nothing of what was granted before. */
  attach(guest: boolean): void {
    this.#held = guest ? new Set() : undefined;
    for (const [name, credit] of this.#consumer?.credit ?? []) if (credit > 0) this.#host.grant(name, credit);
  }

  /** The writer is gone, and with another process's file all that runs here: it counts as crashed there. */
  lose(): void {
    const lost = [...(this.#held ?? [])];
    this.#held = undefined;
    if (lost.length > 0) this.#consumer?.options.onLost?.(lost);
  }

  deliver(jobs: readonly SlottedJob[]): void {
    const consumer = this.#consumer;
    if (consumer === undefined) return this.#host.handBack(jobs);
    for (let from = 0; from < jobs.length;) {
      const name = must(jobs[from]).name;
      let to = from + 1;
      while (to < jobs.length && must(jobs[to]).name === name) to++;
      consumer.credit.set(name, (consumer.credit.get(name) ?? 0) - (to - from));
      from = to;
    }
    if (this.#held !== undefined) for (const { id } of jobs) this.#held.add(id);
    consumer.options.onClaimed(jobs);
  }

  settled(settlements: readonly { readonly job: Settlement["job"] }[]): void {
    if (this.#held !== undefined) for (const { job } of settlements) this.#held.delete(job.id);
  }

  cancelRequested(id: JobId): void {
    this.#consumer?.options.onCancelRequested(id);
  }

  trouble(fault: StoreFault): void {
    this.#consumer?.options.onTrouble(fault);
  }

  end(): void {
    this.#consumer = undefined;
  }
}
