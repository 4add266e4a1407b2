/**
 * Bytes to text, one character per byte. `latin1Slice` is the call below `toString("latin1")`: the same result without the
 * look-up of the encoding, which counts when it runs for every request. Public in Node and Bun, but not in the types.
 */
interface Latin1Buffer extends Buffer {
  latin1Slice(from: number, to: number): string;
}

export function latin1Text(bytes: Buffer, from: number, to: number): string {
  return (bytes as Latin1Buffer).latin1Slice(from, to);
}
