/**
 * Unique keys: who holds one, and for how long. A job carries its key as one text, with what is not usual about it in front:
 *
 *   usual:  key
 *   else:   U+0001, `s` (until it starts) or `f`, window in milliseconds (base 36), `,`, length of the scope (base 36) if it has one, `:`, scope, key
 *
 * A key is held while its job is unfinished (or has not started), and by time: a row that is `done` belongs to a job that is finished and keeps
 * others away until `held`.
 */
import type { NewJob, UniqueScope } from "../jobs/index.ts";
import type { Block, Core, JobName } from "./core.ts";
import { readEntry } from "./entries.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { blockKeyed, blockStarting } from "./tables.ts";

const mark = "\u0001";

interface UniqueKey {
  readonly key: string;
  readonly scope: string | undefined;
  /** Free as soon as the job has started. */
  readonly started: boolean;
  readonly windowMs: number;
}

/** What a job holds its key by. */
interface Holder {
  readonly id: number;
  readonly attempt: number;
  readonly enqueuedAt: number;
  readonly key: string | undefined;
}

export function writeUniqueKey(job: Pick<NewJob, "uniqueKey" | "unique">): string | undefined {
  const { uniqueKey: key, unique } = job;
  if (key === undefined || (unique === undefined && !key.startsWith(mark))) return key;
  const { scope, until = "finished", windowMs = 0 } = unique ?? {};
  const length = scope === undefined ? "" : scope.length.toString(36);
  return `${mark}${until === "started" ? "s" : "f"}${Math.ceil(windowMs).toString(36)},${length}:${scope ?? ""}${key}`;
}

function readUniqueKey(text: string): UniqueKey {
  if (!text.startsWith(mark)) return { key: text, scope: undefined, started: false, windowMs: 0 };
  const comma = text.indexOf(",");
  const colon = text.indexOf(":", comma);
  const length = colon === comma + 1 ? undefined : Number.parseInt(text.slice(comma + 1, colon), 36);
  const scopeEnd = colon + 1 + (length ?? 0);
  return {
    key: text.slice(scopeEnd),
    scope: length === undefined ? undefined : text.slice(colon + 1, scopeEnd),
    started: text[1] === "s",
    windowMs: Number.parseInt(text.slice(2, comma), 36),
  };
}

/** The key as its owner gave it. */
export function plainKey(text: string): string {
  return text.startsWith(mark) ? readUniqueKey(text).key : text;
}

/** How far the key reaches and how long it is held; undefined where it is usual. */
export function uniqueScopeOf(text: string): UniqueScope | undefined {
  if (!text.startsWith(mark)) return undefined;
  const { scope, started, windowMs } = readUniqueKey(text);
  return {
    ...(scope !== undefined && { scope }),
    until: started ? "started" : "finished",
    ...(windowMs > 0 && { windowMs }),
  };
}

/** Whether the key is given up when its job starts. */
function freeAtStart(text: string | undefined): boolean {
  return text !== undefined && text.startsWith(`${mark}s`);
}

/** What a block is told of its jobs' unique keys. */
export function keyFlags(key: string | undefined): number {
  if (key === undefined) return 0;
  return freeAtStart(key) ? blockKeyed | blockStarting : blockKeyed;
}

/** Where a key stands in the table: under its scope, or under its job's name. */
function placeOf(name: JobName, { key, scope }: UniqueKey): readonly [number, string] {
  return scope === undefined ? [name.id, key] : [0, `${scope.length}:${scope}${key}`];
}

/** The job that holds the key, if one does. */
export function holderOf(core: Core, name: JobName, text: string): number | undefined {
  const row = core.sql.holderOfKey.get(...placeOf(name, readUniqueKey(text)));
  return row === undefined || (row.done === 1 && row.held <= core.now) ? undefined : row.id;
}

/** False where another holds it. A job without a key, or whose key is given up at its start, needs none once it has started. */
export function takeKey(core: Core, name: JobName, { id, key, attempt, enqueuedAt }: Holder): boolean {
  if (key === undefined || (attempt > 0 && freeAtStart(key))) return true;
  const unique = readUniqueKey(key);
  const held = unique.windowMs === 0 ? 0 : enqueuedAt + unique.windowMs;
  if (held > 0) {
    core.flow.windows = true;
    core.sql.expireKeys.run(core.now, limits.keysExpirePerTake);
  }
  return core.sql.takeKey.run(...placeOf(name, unique), id, held, core.now).changes > 0;
}

/** The job is finished, or has started where that is enough: its key is free, or held by time alone. */
export function freeKey(core: Core, name: JobName, { id, key }: Pick<Holder, "id" | "key">): void {
  if (key === undefined) return;
  const unique = readUniqueKey(key);
  const [owner, text] = placeOf(name, unique);
  const freed = core.sql.freeKey.run(owner, text, id, core.now).changes > 0;
  if (!freed && unique.windowMs > 0) core.sql.holdByTime.run(owner, text, id);
}

/** Jobs are claimed: those whose keys are held until they start give them up. `from`: where the first of them, at place `lo`, begins in the body. */
export function freeStarted(core: Core, block: Block, body: Buffer, from: number, lo: number, n: number): void {
  for (let i = 0, at = from; i < n; i++, at += body.readUInt32LE(at)) {
    const { id, key } = readEntry(body, at);
    if (freeAtStart(key)) freeKey(core, block.lane.name, { id: id === 0 ? block.seq + lo + i : id, key });
  }
}
