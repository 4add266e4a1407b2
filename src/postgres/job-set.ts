/**
 * Ids of jobs that come and go, by the block: a mark for each place. Of each text that is the key of a Set V8 makes one of its own in its old generation (it is internalized),
 * where it waits for a full collection.
 */
import { NumberTable } from "../core/index.ts";
import type { JobId } from "../jobs/index.ts";
import { blockJobs } from "./blocks/index.ts";

interface Block {
  readonly first: number;
  readonly marks: Uint8Array;
  count: number;
}

export class JobSet {
  readonly #blocks = new NumberTable<Block>();

  /** Answers whether it is new. */
  add(id: JobId): boolean {
    const place = Number(id) % blockJobs;
    const first = Number(id) - place;
    let block = this.#blocks.get(first);
    if (block === undefined) this.#blocks.set(first, (block = { first, marks: new Uint8Array(blockJobs), count: 0 }));
    if (block.marks[place] === 1) return false;
    block.marks[place] = 1;
    block.count++;
    return true;
  }

  /** Answers whether it was there. */
  delete(id: JobId): boolean {
    const place = Number(id) % blockJobs;
    const first = Number(id) - place;
    const block = this.#blocks.get(first);
    if (block?.marks[place] !== 1) return false;
    block.marks[place] = 0;
    if (--block.count === 0) this.#blocks.delete(first);
    return true;
  }

  /** In the order of their numbers. */
  *[Symbol.iterator](): Generator<JobId> {
    for (const { first, marks } of this.#blocks.values.toSorted((one, two) => one.first - two.first))
      for (const [place, mark] of marks.entries()) if (mark === 1) yield String(first + place);
  }
}
