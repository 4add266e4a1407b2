/**
 * What holds jobs back: gates that names share, and the limits of a key. All of it is in memory, because the writer is the only one that claims; after a
 * crash nothing runs, so the counts start from nothing, and rates with a full allowance.
 */
import { must } from "./must.ts";
import type { JobPolicy, Rate } from "../jobs/index.ts";
import type { Block, Core, Gate, JobName, Key, NameLimits, Pace, Routing, Timers } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";

export function makeRouting(): Routing {
  return {
    gates: new Map(),
    timers: new Heap(),
    paused: new Set(),
    bodies: new Set(),
    bodyBytes: 0,
    bytes: 0,
    keys: 0,
    keysMost: limits.idleKeys,
  };
}

/** The policy of a name, told by the calling thread. */
export function setPolicy(core: Core, name: JobName, policy: JobPolicy | undefined): void {
  const { gates = [], perKey, ageingMs } = policy ?? {};
  if (gates.length === 0 && perKey === undefined && ageingMs === undefined) return;
  name.limits = {
    gates: gates.map((gate) => gateOf(core, gate)),
    perKey: perKey && {
      concurrency: perKey.ordered === true ? 1 : (perKey.concurrency ?? Infinity),
      pace: paceOf(perKey.rate),
      ordered: perKey.ordered === true,
    },
    ageingMs,
    keys: new Map(),
    recent: [],
    touched: [],
  };
}

/** Names share a gate by its id; the last that was told says what it lets through. */
function gateOf(core: Core, { id, concurrency = Infinity, rate }: NonNullable<JobPolicy["gates"]>[number]): Gate {
  const known = core.routing.gates.get(id) ?? { concurrency, pace: undefined, running: 0, arrival: -Infinity };
  known.concurrency = concurrency;
  known.pace = paceOf(rate);
  core.routing.gates.set(id, known);
  return known;
}

function paceOf(rate: Rate | undefined): Pace | undefined {
  if (rate === undefined) return undefined;
  const intervalMs = rate.periodMs / rate.limit;
  return { intervalMs, slackMs: rate.periodMs - intervalMs, periodMs: rate.periodMs };
}

interface Use {
  running: number;
  arrival: number;
}

/** When one more may start: at a time, or (Infinity) when one that runs has ended. */
function opensAt(use: Use, concurrency: number, pace: Pace | undefined, now: number): number {
  if (use.running >= concurrency) return Infinity;
  if (pace === undefined) return -Infinity;
  // A wall clock that was put back locks nobody out for longer than the period.
  use.arrival = Math.min(use.arrival, now + pace.periodMs);
  // Intervals need not be whole milliseconds, and their sums are rounded.
  return use.arrival - pace.slackMs - 1e-3;
}

/** How many jobs of a name its gates let start now. */
export function allowance(core: Core, { gates }: NameLimits): number {
  let most = Infinity;
  for (const gate of gates) {
    most = Math.min(most, gate.concurrency - gate.running);
    if (gate.pace === undefined || most <= 0) continue;
    const { intervalMs, slackMs, periodMs } = gate.pace;
    gate.arrival = Math.min(gate.arrival, core.now + periodMs);
    const early = core.now + slackMs - Math.max(gate.arrival, core.now) + 1e-3;
    most = Math.min(most, early < 0 ? 0 : Math.floor(early / intervalMs) + 1);
  }
  return Math.max(0, most);
}

/** When time alone opens the gates of a name, or Infinity. */
export function gatesOpenAt(core: Core, { gates }: NameLimits): number {
  return gates.reduce((at, gate) => Math.max(at, opensAt(gate, gate.concurrency, gate.pace, core.now)), -Infinity);
}

/** `n` jobs of the name start. */
export function enterGates(core: Core, { gates }: NameLimits, n: number): void {
  for (const gate of gates) {
    const { arrival } = gate;
    gate.running += n;
    if (gate.pace !== undefined) gate.arrival = Math.max(arrival, core.now) + n * gate.pace.intervalMs;
    core.journal.add(() => {
      gate.running -= n;
      gate.arrival = arrival;
    });
  }
}

/** When one more job of the key may start. */
export function keyOpensAt(core: Core, key: Key): number {
  const { concurrency, pace } = must(must(key.name.limits).perKey);
  return opensAt(key, concurrency, pace, core.now);
}

/** One job of the key starts. The caller keeps what `arrival` was, to undo it. */
export function enterKey(core: Core, key: Key): void {
  key.running++;
  const pace = key.name.limits?.perKey?.pace;
  if (pace !== undefined) key.arrival = Math.max(key.arrival, core.now) + pace.intervalMs;
}

/** Jobs that ran have ended, or wait. */
export function leaveLimits(core: Core, block: Block, lo: number, hi: number): void {
  const { gates } = must(block.lane.name.limits);
  for (const gate of gates) gate.running -= hi - lo;
  const { keys } = block;
  if (keys !== undefined) for (let place = lo; place < hi; place++) leaveKey(keys[place]);
  core.journal.add(() => {
    for (const gate of gates) gate.running += hi - lo;
    if (keys !== undefined) for (let place = lo; place < hi; place++) reenter(keys[place]);
  });
}

function leaveKey(key: Key | undefined): void {
  if (key === undefined) return;
  key.running--;
  touch(key);
}

function reenter(key: Key | undefined): void {
  if (key !== undefined) key.running++;
}

/** Something about the key has changed: whether it may start jobs is asked at the next claim. */
export function touch(key: Key): void {
  if (key.touched || key.parked === 0) return;
  key.touched = true;
  must(key.name.limits).touched.push(key);
}

/** A job of an ordered key that had a row of its own is finished: those behind it may follow. */
export function touchOrdered(name: JobName, jobKey: string | undefined): void {
  if (jobKey === undefined || name.limits?.perKey?.ordered !== true) return;
  const key = name.limits.keys.get(Buffer.from(jobKey, "utf8").toString("latin1"));
  if (key !== undefined) touch(key);
}

/** Slots of `NameLimits.recent`: a power of two. */
const recentKeys = 4_096;

/** The key whose UTF-8 bytes are these. A text and its place in a map cost more than all else that is done for a key, so the keys met lately are known by their bytes. */
export function keyOfBytes(core: Core, name: JobName, bytes: Buffer, from: number, to: number): Key {
  const nameLimits = must(name.limits);
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ must(bytes[at]), 0x01000193);
  const slot = (hash ^ (hash >>> 15)) & (recentKeys - 1);
  const known = nameLimits.recent[slot];
  if (known !== undefined && hasBytes(known.text, bytes, from, to)) return known;
  if (nameLimits.recent.length === 0) nameLimits.recent = Array.from({ length: recentKeys }, () => undefined);
  return (nameLimits.recent[slot] = keyOf(core, name, bytes.toString("latin1", from, to)));
}

function hasBytes(text: string, bytes: Buffer, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let at = from; at < to; at++) if (text.charCodeAt(at - from) !== bytes[at]) return false;
  return true;
}

function keyOf(core: Core, name: JobName, text: string): Key {
  const { keys } = must(name.limits);
  let key = keys.get(text);
  if (key === undefined) {
    key = {
      name,
      text,
      running: 0,
      arrival: -Infinity,
      queues: [],
      parked: 0,
      listed: 0,
      touched: false,
      timed: false,
    };
    keys.set(text, key);
    core.routing.keys++;
  }
  return key;
}

/** Time alone will open the key. */
export function openByTime(core: Core, key: Key, at: number): void {
  if (key.timed || at === Infinity) return;
  key.timed = true;
  core.routing.timers.add(Math.ceil(at), key);
}

/** Keys whose time has come. */
export function takeTimers(core: Core): void {
  const { timers } = core.routing;
  while (timers.next <= core.now) {
    const key = timers.take();
    key.timed = false;
    touch(key);
  }
}

/** Idle keys and tenants are forgotten when there are many. Between commits: nothing that could be undone refers to them. */
export function forgetIdleKeys(core: Core): void {
  const { routing } = core;
  if (routing.keys <= routing.keysMost) return;
  for (const name of core.namesById.values()) {
    if (name.limits !== undefined) name.limits.recent = [];
    for (const [text, key] of name.limits?.keys ?? []) {
      if (key.running > 0 || key.parked > 0 || key.timed || key.arrival > core.now) continue;
      must(name.limits).keys.delete(text);
      routing.keys--;
    }
    for (const lane of name.lanes) {
      for (const [tenant, turn] of lane?.turns?.byTenant ?? []) {
        if (turn.listed || turn.queue.size > 0 || turn.open.size > 0) continue;
        lane?.turns?.byTenant.delete(tenant);
        routing.keys--;
      }
    }
  }
  routing.keysMost = Math.max(limits.idleKeys, routing.keys * 2);
}

class Heap implements Timers {
  readonly #items: { readonly at: number; readonly key: Key }[] = [];

  get next(): number {
    return this.#items[0]?.at ?? Infinity;
  }

  add(at: number, key: Key): void {
    const items = this.#items;
    let index = items.length;
    items.push({ at, key });
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (must(items[parent]).at <= at) break;
      items[index] = must(items[parent]);
      index = parent;
    }
    items[index] = { at, key };
  }

  take(): Key {
    const items = this.#items;
    const first = must(items[0]);
    const last = must(items.pop());
    if (items.length === 0) return first.key;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && must(items[child + 1]).at < must(items[child]).at) child++;
      if (must(items[child]).at >= last.at) break;
      items[index] = must(items[child]);
      index = child;
    }
    items[index] = last;
    return first.key;
  }
}
