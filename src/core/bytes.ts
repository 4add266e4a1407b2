/**
 * Pieces of bytes as one, in every runtime (`Buffer.concat` is Node's).
 *
 * @param length Of all pieces together, in bytes: who gathered them has counted.
 */
export function joinBytes(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
