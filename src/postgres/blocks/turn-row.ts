/** What a turn answers of the blocks. */
import { mark } from "./drafts.ts";

export interface TurnRow {
  readonly kind: number;
  readonly slot: number;
  readonly block: number;
  readonly lane: number;
  readonly lo: number;
  readonly hi: number;
  readonly at: number;
  readonly body: string;
  readonly contexts: string | null;
  readonly keys: string | null;
  readonly gone: readonly number[] | null;
}

/** The places that a row hands over, each with the number of its texts there. */
export function placesOf({ kind, lo, hi, gone }: TurnRow): readonly (readonly [place: number, at: number])[] {
  if (kind === 8) return (gone ?? []).map((place, at) => [place, at] as const);
  const places: [number, number][] = [];
  const left = gone === null ? undefined : new Set(gone);
  for (let place = lo; place < hi; place++) if (left?.has(place) !== true) places.push([place, place - lo]);
  return places;
}

/** A text that stands behind a "=" where it is there at all. */
export function restOf(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text.slice(1);
}

/** A key stands behind a "="; what has none is told as "". */
export function waitingOf(keys: string | null): readonly string[] | undefined {
  if (keys === null) return undefined;
  return keys === "" ? [] : keys.split(mark).map((key) => restOf(key) ?? "");
}
