/**
 * The bytes of a connection that have arrived and are not yet read. During a read they lie in the transport's buffer, which
 * is shared by all connections; what must outlive the read is copied into a buffer of the connection's own. An idle
 * connection holds none.
 */
const nothing = Buffer.alloc(0);

export class InputWindow {
  bytes: Buffer = nothing;
  start = 0;
  end = 0;
  #owned = false;

  get size(): number {
    return this.end - this.start;
  }

  /** Adds what has arrived: `bytes` up to `length`. Good until `keep` or `drop`. */
  accept(bytes: Buffer, length: number): void {
    if (this.start === this.end) {
      this.bytes = bytes;
      this.start = 0;
      this.end = length;
      this.#owned = false;
    } else this.#append(bytes, length);
  }

  /** Makes what is left outlive the transport's buffer. */
  keep(): void {
    if (this.start === this.end) {
      if (this.bytes !== nothing) this.drop();
    } else if (!this.#owned) {
      const own = Buffer.allocUnsafeSlow(Math.max(1024, this.end - this.start));
      this.end = this.bytes.copy(own, 0, this.start, this.end);
      this.start = 0;
      this.bytes = own;
      this.#owned = true;
    }
  }

  /** What is left, in a buffer of its own. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end));
  }

  drop(): void {
    this.bytes = nothing;
    this.start = this.end = 0;
    this.#owned = false;
  }

  /** Doubles, so that bytes coming one by one are copied a bounded number of times each. */
  #append(bytes: Buffer, length: number): void {
    const size = this.end - this.start;
    if (this.end + length > this.bytes.length) {
      const target = size + length > this.bytes.length / 2 ? Buffer.allocUnsafeSlow((size + length) * 2) : this.bytes;
      this.bytes.copy(target, 0, this.start, this.end);
      this.bytes = target;
      this.start = 0;
      this.end = size;
    }
    bytes.copy(this.bytes, this.end, 0, length);
    this.end += length;
  }
}
