/**
 * The keys of which jobs of one name wait, as far as that is known here: what a turn has told, and what was enqueued here since it was sent. Known from the turn that
 * told all until somebody else may have brought work.
 */
/** Keys that are remembered: with more it is not known which wait. */
const mostKeys = 4_096;
/** Stands for jobs without a key. */
const keyless = "";

export class WaitingKeys {
  /** In blocks; undefined: not known. */
  #keys: Set<string> | undefined;
  /** In rows. */
  #inRows: ReadonlySet<string> | undefined;
  /** Enqueued here, and not claimed, since the turn under way began. */
  readonly #since = new Set<string>();
  #forgotten = false;

  /** How many keys wait in blocks; Infinity: it is not known. */
  get size(): number {
    return this.#keys?.size ?? Infinity;
  }

  /** Whether it is known that no row waits. */
  get noRows(): boolean {
    return this.#inRows?.size === 0;
  }

  /** Whether an older job may wait that is to run before a new one. */
  mayWait(name: string | undefined): boolean {
    if (this.#keys === undefined || this.#inRows === undefined) return true;
    // What has no key waits for credit alone: those that come behind it are not known to.
    return this.#keys.has(name ?? keyless) || (name !== undefined && this.#inRows.has(name));
  }

  /** A job was enqueued here that nobody has claimed. */
  wait(name = keyless): void {
    if (!this.#forgotten) this.#since.add(name);
    this.#keys?.add(name);
    if (this.#since.size > mostKeys) this.forget();
    if ((this.#keys?.size ?? 0) > mostKeys) this.#keys = undefined;
  }

  /** Somebody else may have brought work. */
  forget(): void {
    this.lose();
    this.#inRows = undefined;
    this.#since.clear();
    this.#forgotten = true;
  }

  /** Another process claims of this name. */
  lose(): void {
    this.#keys = undefined;
  }

  /** A turn begins. */
  mark(): void {
    this.#since.clear();
    this.#forgotten = false;
  }

  /** @param waiting All keys in blocks; undefined: others may wait as well. */
  told(waiting: readonly string[] | undefined): void {
    if (this.#forgotten || waiting === undefined) return;
    this.#keys = new Set([...waiting, ...this.#since]);
  }

  /** @param keys Keys of rows that wait; undefined: there are more. */
  toldRows(keys: readonly string[] | undefined): void {
    if (!this.#forgotten) this.#inRows = keys === undefined ? undefined : new Set(keys);
  }
}
