/** What tells two versions of a file apart: its ETag and Last-Modified (RFC 9110 section 8.8), from size and modification time. */

export interface Validators {
  /** With quotes, and `W/` where weak. Undefined: see `validatorsOf`. */
  readonly etag: string | undefined;
  /** An IMF-fixdate. */
  readonly lastModified: string | undefined;
  /** The time of `lastModified`, in ms. */
  readonly modifiedMs: number;
  /** Whether equal validators mean equal bytes. */
  readonly strong: boolean;
}

/** A file may change twice within the resolution of its time (seconds on some file systems); until then its validators are weak. */
const settledMs = 2_000;
/**
 * Reproducible builds give every file one time: 1970 (Nix, many images), 1980 (zip), 1985 (npm). Two versions of a file would have
 * equal validators whenever their sizes are equal, and clients would keep the old one for ever: better none.
 */
const earliestMs = Date.UTC(1990, 0, 1);
const none: Validators = Object.freeze({ etag: undefined, lastModified: undefined, modifiedMs: 0, strong: false });

/** `nowMs` is wall time; `coding` the content coding, which makes another representation. */
export function validatorsOf(size: number, mtimeNs: bigint, coding: string | undefined, nowMs: number): Validators {
  const mtimeMs = Number(mtimeNs / 1_000_000n);
  if (mtimeMs < earliestMs) return none;
  const strong = nowMs - mtimeMs >= settledMs;
  const tag = `"${size.toString(36)}-${mtimeNs.toString(36)}${coding === undefined ? "" : `-${coding}`}"`;
  const modifiedMs = Math.floor(mtimeMs / 1000) * 1000;
  return {
    etag: strong ? tag : `W/${tag}`,
    // RFC 9110 section 8.8.2.1: never a time to come.
    lastModified: modifiedMs > nowMs ? undefined : new Date(modifiedMs).toUTCString(),
    modifiedMs,
    strong,
  };
}
