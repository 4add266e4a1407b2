/** Blocks before they are written: jobs gathered by lane, and how many of each this process claims in the same commit. */
import { youngArray } from "../../core/index.ts";
import type { Fence, NewJob } from "../../jobs/index.ts";
import type { SqlParameter } from "../connection.ts";
import { postgresLimits as limits } from "../limits.ts";
import { blockJobs } from "./holdings.ts";

/** The numbers of job names. */
export interface BlockNames {
  id(name: string): number;
  known(name: string): number | undefined;
  name(id: number): string;
}

/** Between two payloads, contexts or keys of one block. */
export const mark = "\u0001";
/** Between two blocks. */
const between = "\u0002";

/** Whether a text would be taken apart in a block, or refused by PostgreSQL. JSON text has none of these. */
export function hasSeparator(text: string): boolean {
  return text.includes(mark) || text.includes(between) || text.includes("\0");
}

/** It waits for its statement with the texts of all its jobs: see block-job.ts. */
export class Draft {
  readonly lane: number;
  /** Of a name with limits per key: it is claimed as a whole. */
  readonly chosen: boolean;
  readonly places = youngArray<number>();
  readonly bodies = youngArray<string>();
  readonly contexts = youngArray<string>();
  readonly keys = youngArray<string>();
  chars = 0;
  withContext = false;
  withKey = false;

  constructor(lane: number, chosen: boolean) {
    this.lane = lane;
    this.chosen = chosen;
  }
}

/** What of a batch is claimed in its own commit. */
export interface Taking {
  readonly fence: Fence;
  /** Per name without limits per key, how many jobs there is room for. */
  readonly room: ReadonlyMap<string, number>;
  /** Places of jobs of names with limits per key that are claimed as well. */
  readonly chosen: ReadonlyMap<number, unknown>;
}

export interface EnqueueRow {
  readonly slot: number;
  readonly seqs: readonly number[];
  readonly took: readonly number[] | null;
  readonly made_at: number;
  readonly fence: number | null;
  /** Of the server, where something was claimed. */
  readonly run: number | null;
}

export function draftsOf(
  jobs: readonly NewJob[],
  names: BlockNames,
  all?: ReadonlyMap<number, unknown>,
): readonly Draft[] {
  const open = new Map<number, Draft>();
  const drafts = youngArray<Draft>();
  for (let place = 0; place < jobs.length; place++) {
    const { name, priority, payload, context, key } = jobs[place] as NewJob;
    const lane = names.id(name) * 10 + priority;
    // What is claimed and what is not are blocks of their own, so that claims have no gaps.
    const chosen = all !== undefined && all.size > 0 && all.has(place);
    const slot = chosen ? -lane : lane;
    let draft = open.get(slot);
    if (draft === undefined || draft.places.length === blockJobs || draft.chars + payload.length > limits.blockChars) {
      draft = new Draft(lane, chosen);
      open.set(slot, draft);
      drafts.push(draft);
    }
    draft.places.push(place);
    draft.bodies.push(payload);
    draft.contexts.push(context === undefined ? "" : `=${context}`);
    draft.keys.push(key === undefined ? "" : `=${key}`);
    draft.chars += payload.length;
    draft.withKey ||= key !== undefined;
    draft.withContext ||= context !== undefined;
  }
  return drafts;
}

/** How many of each draft's first jobs there is room for; the most urgent lanes first. Null: none. */
export function takesOf(
  drafts: readonly Draft[],
  jobs: readonly NewJob[],
  room: ReadonlyMap<string, number>,
): number[] | null {
  const left = new Map(room);
  const takes = drafts.map(() => 0);
  const order = drafts.map((_, index) => index).toSorted((one, two) => laneAt(drafts, one) - laneAt(drafts, two));
  for (const index of order) {
    const { places, chosen } = drafts[index] as Draft;
    if (chosen) {
      takes[index] = places.length;
      continue;
    }
    const { name } = jobs[places[0] as number] as NewJob;
    const free = left.get(name) ?? 0;
    const take = (takes[index] = Math.min(free, places.length));
    left.set(name, free - take);
  }
  return takes.some((take) => take > 0) ? takes : null;
}

function laneAt(drafts: readonly Draft[], index: number): number {
  return drafts[index]?.lane ?? 0;
}

export const enqueueText =
  "SELECT slot, seqs, took, made_at, fence, run FROM tensile.blocks_enqueue($1::int[], $2::int[], $3, $4, $5, $6::int[], $7, $8, $9::int[])";

export function enqueueValues(
  drafts: readonly Draft[],
  takes: readonly number[] | null,
  taking: Taking | undefined,
  mostOf: (lane: number) => number,
): readonly SqlParameter[] {
  const keyed = taking !== undefined && taking.chosen.size > 0;
  return [
    drafts.map(({ lane }) => lane),
    drafts.map(({ places }) => places.length),
    drafts.map(({ bodies }) => bodies.join(mark)).join(between),
    drafts.map(({ contexts, withContext }) => (withContext ? contexts.join(mark) : "")).join(between),
    drafts.map(({ keys, withKey }) => (withKey ? keys.join(mark) : "")).join(between),
    ...[takes, taking?.fence.epoch, taking?.fence.claim],
    keyed ? drafts.map(({ lane, chosen }) => (chosen ? mostOf(lane) : null)) : null,
  ];
}
