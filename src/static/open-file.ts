/**
 * Opens one file for one answer: resolved first, so that no symbolic link leads out of its folder or to a dotfile, and only
 * regular files. How many are open at once is bounded.
 */
import { constants } from "node:fs";
import { open, realpath, type FileHandle } from "node:fs/promises";
import { isAbsolute, relative, sep } from "node:path";

/** An open regular file, as it was when it was opened. */
export interface OpenFile {
  readonly size: number;
  readonly mtimeNs: bigint;
  /** At most `length` bytes from `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Waits for a read under way. Safe to call twice; never rejects. */
  close(): Promise<void>;
}

export type Opened = OpenFile | "missing" | "folder" | "busy";

/** How many files may be open at once. */
export class OpenFiles {
  readonly #limit: number;
  #open = 0;

  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new TypeError(`openFiles is ${limit}: it must be a whole number from 1.`);
    this.#limit = limit;
  }

  /** Files open or being opened. */
  get count(): number {
    return this.#open;
  }

  /**
   * `root`, already resolved, is what the file must lie below once every link is followed; undefined: anywhere. A defect of the
   * disk or missing permission rejects.
   */
  async open(path: string, root: string | undefined): Promise<Opened> {
    if (this.#open >= this.#limit) return "busy";
    this.#open++;
    let file: OpenFile | undefined;
    try {
      const real = await realpath(path);
      if (root !== undefined && !isBelow(real, root)) return "missing";
      const handle = await open(real, openFlags);
      const kept = await this.#keep(handle);
      if (typeof kept === "object") file = kept;
      return kept;
    } catch (error) {
      return verdictOf(error);
    } finally {
      if (file === undefined) this.#open--;
    }
  }

  async #keep(handle: FileHandle): Promise<Opened> {
    let keep = false;
    try {
      const stat = await handle.stat({ bigint: true });
      if (stat.isDirectory()) return "folder";
      if (!stat.isFile()) return "missing";
      keep = true;
      return new HeldFile(handle, Number(stat.size), stat.mtimeNs, () => this.#open--);
    } finally {
      if (!keep) await handle.close();
    }
  }
}

/** The path is resolved: a link in its place came later. Without NONBLOCK, a pipe would wait for its writer. */
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Below the root, and through no dotfile: `root/link` may point to `root/.env`. */
function isBelow(real: string, root: string): boolean {
  const way = relative(root, real);
  // To another drive the way is absolute; `..` begins with a dot.
  return !isAbsolute(way) && way.split(sep).every((name) => !name.startsWith("."));
}

const missing = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "ENXIO", "ENODEV", "EINVAL"]);
const exhausted = new Set(["EMFILE", "ENFILE"]);

function verdictOf(error: unknown): "missing" | "busy" {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (missing.has(code)) return "missing";
  if (exhausted.has(code)) return "busy";
  throw error;
}

class HeldFile implements OpenFile {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly #handle: FileHandle;
  readonly #onClose: () => void;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, size: number, mtimeNs: bigint, onClose: () => void) {
    this.#handle = handle;
    this.size = size;
    this.mtimeNs = mtimeNs;
    this.#onClose = onClose;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    // Not from the shared pool: the carrier may hold the bytes for long, and a slice would hold the pool.
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  close(): Promise<void> {
    // A failed close has closed as well as can be: nothing was written.
    return (this.#closing ??= this.#handle.close().then(this.#onClose, this.#onClose));
  }
}
