/**
 * One turn over both paths: what is due becomes ready, and what there is credit for is claimed, rows and blocks in one order. A part that can bring nothing is
 * left out, because each is a round trip.
 */
import { systemClock } from "../core/index.ts";
import type { ClaimedJob, Fence, JobId } from "../jobs/index.ts";
import type { BlockPath, KeyGates } from "./blocks/index.ts";
import { postgresLimits as limits } from "./limits.ts";
import type { Position, RowPath, Turn } from "./rows/index.ts";

export interface PathTurn {
  readonly claimed: readonly ClaimedJob[];
  /** Those of them that may run now. */
  readonly free: readonly ClaimedJob[];
  /** Names that are paused, among those with limits per key. */
  readonly paused: readonly string[];
  readonly cancelled: readonly JobId[];
  readonly ended: readonly JobId[];
  /** Milliseconds until something is due; undefined: nothing is. Absent where the rows were not asked: what was known before holds. */
  readonly wakeMs?: number | undefined;
  readonly more: boolean;
  /** Plain names of which everything that was ready was claimed, and credit was left. */
  readonly all: readonly string[];
}

/** Why a turn is taken. */
export interface TurnCause {
  /** Somebody called, or it is time for a look: what was known of blocks and rows is old. */
  readonly called: boolean;
  /** Something may have come of rows: the time of one, an enqueue, a settlement. */
  readonly stirred: boolean;
}

export class Turns {
  readonly #rows: RowPath;
  readonly #blocks: BlockPath;
  readonly #running: KeyGates;
  readonly #isPlain: (name: string) => boolean;
  /** Names of which no row could be claimed at the last look at the rows, and when that was. */
  readonly #rowless = new Set<string>();
  #rowsAt = -Infinity;

  /** @param isPlain Whether nothing but credit limits the jobs of a name. */
  constructor(rows: RowPath, blocks: BlockPath, running: KeyGates, isPlain: (name: string) => boolean) {
    this.#rows = rows;
    this.#blocks = blocks;
    this.#running = running;
    this.#isPlain = isPlain;
  }

  async turn(fence: Fence, credit: ReadonlyMap<string, number>, cause: TurnCause): Promise<PathTurn> {
    // Rows first, but none that stands behind what is known to wait in blocks; then blocks, but nothing that stands behind a row.
    const names = [...credit].filter(([, count]) => count > 0).map(([name]) => name);
    const wanted = names.map((name) => ({ name }));
    if (!this.#rows.names.know(wanted)) await this.#rows.names.learn(wanted);
    const gates = names.map((name) => [name, this.#running.limited(name)] as const);
    for (const [, gate] of gates) gate?.waitingKeys.mark();
    await this.#blocks.look(fence, names, cause.called);
    const rows = await this.#turnRows(fence, credit, names, cause);
    const left = new Map(credit);
    for (const { name } of rows.claimed) left.set(name, (left.get(name) ?? 0) - 1);
    const freeRows = this.#running.begin(rows.claimed, false);
    for (const [name, gate] of gates) if (rows.keys.has(name)) gate?.waitingKeys.toldRows(rows.keys.get(name));
    const waits = new Map(gates.map(([name, gate]) => [name, gate !== undefined && this.#blocks.waits(name)]));
    const blocks = await this.#blocks.turn(fence, left, rows.heads);
    const freeOfBlocks = this.#running.begin(blocks.claimed, true);
    for (const [name, gate] of gates) {
      const told = blocks.told.get(name);
      gate?.told(told?.owned, told === undefined && waits.get(name) === false ? [] : told?.waiting);
    }
    for (const { name } of blocks.claimed) left.set(name, (left.get(name) ?? 0) - 1);
    // Some of theirs went to the rows.
    for (const name of blocks.moved) this.#rowless.delete(name);
    const claimed = blocks.claimed.length === 0 ? rows.claimed : [...rows.claimed, ...blocks.claimed];
    const behind = (name: string): boolean =>
      (left.get(name) ?? 0) > 0 && (blocks.more.has(name) || rows.heads.has(name));
    const spent = (name: string): boolean => (left.get(name) ?? 0) <= 0 || !this.#rowless.has(name);
    const all = names.filter((name) => !spent(name) && !behind(name) && this.#isPlain(name));
    const free = freeOfBlocks.length === 0 ? freeRows : [...freeRows, ...freeOfBlocks];
    return { ...rows, claimed, free, all, more: rows.more || names.some(behind) };
  }

  /** Of names that had no row to claim a moment ago the rows are not asked again, unless something may have come of them. */
  async #turnRows(
    fence: Fence,
    credit: ReadonlyMap<string, number>,
    names: readonly string[],
    { called, stirred }: TurnCause,
  ): Promise<Turn | typeof noRows> {
    const now = systemClock.monotonic();
    const isOld = called || stirred || now - this.#rowsAt >= limits.deepLookMs;
    if (isOld) this.#rowless.clear();
    if (!isOld && names.every((name) => this.#rowless.has(name))) return noRows;
    if (this.#rowless.size === 0) this.#rowsAt = now;
    // Of what is held here, and has no credit, it is asked whether it is paused.
    const asked = new Map([...this.#running.holding.map((name) => [name, 0] as const), ...credit]);
    const turn = await this.#rows.turn(fence, asked, limits.claimBytes, false, this.#blocks.heads(names));
    const left = new Map(credit);
    for (const { name } of turn.claimed) left.set(name, (left.get(name) ?? 0) - 1);
    for (const name of names)
      if (!turn.more && (left.get(name) ?? 0) > 0 && !turn.heads.has(name)) this.#rowless.add(name);
    return turn;
  }
}

const noRows = {
  claimed: [],
  cancelled: [],
  ended: [],
  more: false,
  heads: new Map<string, Position>(),
  keys: new Map<string, readonly string[] | undefined>(),
  paused: [],
};
