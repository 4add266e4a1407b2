/** Lanes of a name, and places of a block as PostgreSQL reads them. */
import type { Position } from "../rows/index.ts";
import { blockJobs } from "./holdings.ts";

export const priorities = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

export interface WantedLane {
  readonly lane: number;
  readonly credit: number;
  /** Only jobs with smaller numbers. */
  readonly until: number;
}

export function lanesOf(id: number, credit: number, before: Position): WantedLane[] {
  return priorities
    .filter((priority) => priority <= before.priority)
    .map((priority) => {
      const until = priority === before.priority ? before.place : Number.MAX_SAFE_INTEGER;
      return { lane: id * 10 + priority, credit, until };
    });
}

export function blockOf(id: number | undefined): number | undefined {
  return id === undefined ? undefined : id - (id % blockJobs);
}

/** Sorted places as PostgreSQL's text of an array: from, to (excluded), from, to ... */
export function rangesOf(places: readonly number[]): string {
  const ranges: number[] = [];
  for (const place of places) {
    if (ranges.at(-1) === place) ranges[ranges.length - 1] = place + 1;
    else ranges.push(place, place + 1);
  }
  return `{${ranges.join(",")}}`;
}
