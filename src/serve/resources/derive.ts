/**
 * Limits that a small container needs lower than the defaults. Nothing is raised: the defaults are what one process does well.
 * Each is a share of the memory by what one of its kind is reckoned to take. The sizes are estimates with room, not measurements:
 * in the engine alone, an idle connection takes about 4 KiB of RSS on Node 26, and one whose request waits for its handler 5 KiB.
 */
import type { ServeLimits } from "../options.ts";
import type { Resources } from "./resources.ts";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What the limits were made of; `docs/overload.md` has the table. */
interface Share {
  /** Of the memory. */
  readonly of: number;
  /** What one takes. */
  readonly each: number;
  readonly least: number;
  /** The default. */
  readonly most: number;
}

const shares = {
  connections: { of: 0.1, each: 32 * kibibyte, least: 200, most: 10_000 },
  bodyBytes: { of: 0.03125, each: 1, least: mebibyte, most: 16 * mebibyte },
  bufferedBytes: { of: 0.25, each: 1, least: 16 * mebibyte, most: 256 * mebibyte },
  inFlight: { of: 0.25, each: 256 * kibibyte, least: 64, most: 2_000 },
  streams: { of: 0.1, each: 64 * kibibyte, least: 100, most: 5_000 },
  concurrency: { of: 0.125, each: mebibyte, least: 8, most: 100 },
  prefetchBytes: { of: 0.02, each: 1, least: mebibyte, most: 8 * mebibyte },
} as const satisfies { readonly [limit: string]: Share };

/** The limits given, over those that the resources ask for. */
export function fittedLimits(given: ServeLimits | undefined, { memoryBytes }: Resources): ServeLimits {
  const fit = ({ of, each, least, most }: Share): number =>
    Math.min(most, Math.max(least, Math.floor((memoryBytes * of) / each)));
  const connections = fit(shares.connections);
  return {
    ...given,
    http: {
      connections,
      connectionsPerClient: Math.min(500, Math.ceil(connections / 4)),
      bodyBytes: fit(shares.bodyBytes),
      bufferedBytes: fit(shares.bufferedBytes),
      ...given?.http,
    },
    overload: { inFlight: fit(shares.inFlight), streams: fit(shares.streams), ...given?.overload },
    streams: { streams: fit(shares.streams), ...given?.streams },
    jobs: { concurrency: fit(shares.concurrency), prefetchBytes: fit(shares.prefetchBytes), ...given?.jobs },
  };
}
