/** What jobs that others name have come to: looked up in memory where they are, else on disk, a block at a time. */
import { must } from "./must.ts";
import type { JobState } from "../jobs/index.ts";
import { gone, running, type Block, type Core } from "./core.ts";
import type { ParentRef } from "./flow-tables.ts";
import { BlockReader, blockOf } from "./reading.ts";
import { parkedStates } from "./tables.ts";

/** What a job has come to; `name` null: there is none with this id, which counts as cancelled. */
export interface Stand {
  readonly name: number | null;
  readonly state: JobState;
  readonly result: string | null;
}

/** Blocks kept while one operation looks at many jobs. */
const readersKept = 64;

const unknown: Stand = { name: null, state: "cancelled", result: null };

/** Knows what it has read, so it serves one operation only. */
export class Parents {
  readonly #core: Core;
  readonly #readers = new Map<number, BlockReader>();
  #last: Block | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  standOf(ref: ParentRef): Stand {
    if (typeof ref !== "number") return unknown;
    const last = this.#last;
    if (last !== undefined && ref >= last.seq && ref < last.seq + last.n) {
      const stand = standIn(last, ref - last.seq);
      if (stand !== undefined) return stand;
    }
    const row = this.#core.sql.getParked.get(ref);
    if (row !== undefined)
      return { name: Math.floor(row.lane / 10), state: must(parkedStates[row.state]), result: null };
    const seq = blockOf(this.#core, ref);
    if (seq === undefined) return unknown;
    const block = this.#core.blocks.get(seq);
    if (block !== undefined) {
      const stand = standIn(block, block.ids === undefined ? ref - seq : block.ids.indexOf(ref));
      if (stand !== undefined && block.ids === undefined) this.#last = block;
      if (stand !== undefined) return stand;
    }
    return this.#read(seq, ref);
  }

  #read(seq: number, id: number): Stand {
    let reader = this.#readers.get(seq);
    if (reader === undefined) {
      if (this.#readers.size >= readersKept) this.#readers.clear();
      reader = new BlockReader(this.#core, must(this.#core.sql.getBlock.get(seq)));
      this.#readers.set(seq, reader);
    }
    const found = reader.stateOf(reader.ids.indexOf(id));
    if (found === undefined) return unknown;
    return { name: Math.floor(reader.row.lane / 10), state: found.state, result: found.result ?? null };
  }
}

/** Undefined: it has left the block. Else it has not ended, and its block must know that somebody waits. */
function standIn(block: Block, place: number): Stand | undefined {
  const was = block.places[place];
  if (was === undefined || was === gone) return undefined;
  block.awaited = true;
  return { name: block.lane.name.id, state: was === running ? "running" : "ready", result: null };
}
