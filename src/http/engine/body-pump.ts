/** Sends an answer's body piece by piece with back pressure: iterables, and bytes too many for one write. */

/** Where the pieces go. */
export interface PumpTarget {
  /** Writes one piece of the body. False: call `writable` before the next. */
  writePiece(piece: Uint8Array): boolean;
  /** Resolves when there is room: true, or false when the connection is gone. */
  writable(): Promise<boolean>;
  readonly isClosed: boolean;
}

/** How a pump ended: all was sent, the client went away, or the source failed. */
export type PumpEnd =
  | { readonly end: "sent" }
  | { readonly end: "gone" }
  | { readonly end: "failed"; readonly error: unknown };

const sliceBytes = 64 * 1024;

/**
 * Pulls one piece, writes it, waits for room, and so on. The source's `return()` is called exactly when it did not end by
 * itself. With a `length` that was promised to the client, a source that gives more or fewer bytes has failed. Never rejects.
 */
export async function pumpIterable(
  body: AsyncIterable<Uint8Array>,
  target: PumpTarget,
  length?: number,
): Promise<PumpEnd> {
  let source: AsyncIterator<Uint8Array> | null = null;
  let given = 0;
  try {
    source = body[Symbol.asyncIterator]();
    for (;;) {
      const next = await source.next();
      if (target.isClosed) break;
      if (next.done === true) {
        if (length === undefined || given === length) return { end: "sent" };
        return { end: "failed", error: new TypeError(`A streamed HTTP body ended after ${given} of ${length} bytes.`) };
      }
      if (!(next.value instanceof Uint8Array))
        throw new TypeError("A streamed HTTP body must yield Uint8Array pieces.");
      given += next.value.length;
      if (length !== undefined && given > length)
        throw new TypeError(`A streamed HTTP body gave more than the ${length} bytes that its answer promised.`);
      if (!(await writeSlices(next.value, target))) break;
    }
  } catch (error) {
    if (source !== null) endSource(source);
    return { end: "failed", error };
  }
  endSource(source);
  return { end: "gone" };
}

/** The same for bytes at hand. */
export async function pumpBytes(bytes: Uint8Array, target: PumpTarget): Promise<PumpEnd> {
  return { end: (await writeSlices(bytes, target)) ? "sent" : "gone" };
}

/** 64 KiB at a time, so that a slow reader can be told from one that reads nothing. False: the client went away. */
async function writeSlices(bytes: Uint8Array, target: PumpTarget): Promise<boolean> {
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    if (!target.writePiece(bytes.subarray(at, at + sliceBytes)) && !(await target.writable())) return false;
  }
  return true;
}

/** Lets a source clean up. It may throw or reject; nobody is left to care. */
export function endSource(source: AsyncIterator<Uint8Array>): void {
  try {
    void source.return?.()?.then(undefined, () => undefined);
  } catch {
    // A return() that throws has at least been called.
  }
}
