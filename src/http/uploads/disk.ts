/** Where uploaded files lie while their call runs. */
import { constants } from "node:fs";
import { copyFile, link, mkdtemp, open, readFile, rm, stat, type FileHandle } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UploadStorageFull, type UploadOptions, type UploadedFile } from "../../contract/index.ts";
import { randomHex } from "../../core/index.ts";
import { BodyError } from "../../exchange/index.ts";

/** The disk as all calls share it. */
export class UploadDisk {
  readonly #parent: string;
  readonly #limit: number;
  readonly #folders = new Set<DiskFolder>();
  #used = 0;

  constructor({ folder = tmpdir(), diskBytes = 10 * 1024 ** 3 }: UploadOptions) {
    if (!Number.isSafeInteger(diskBytes) || diskBytes < 1)
      throw new TypeError(`uploads.diskBytes is ${diskBytes}: it must be a whole number from 1.`);
    this.#parent = folder;
    this.#limit = diskBytes;
  }

  folder(): DiskFolder {
    const folder = new DiskFolder(this, this.#parent);
    this.#folders.add(folder);
    return folder;
  }

  /** Removes what still lies here: the process ends, and nobody would do it later. Never rejects. */
  async clear(): Promise<void> {
    await Promise.all(Array.from(this.#folders, (folder) => folder.remove()));
  }

  forget(folder: DiskFolder): void {
    this.#folders.delete(folder);
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

interface Description {
  readonly fileName: string | undefined;
  readonly contentType: string;
}

/** The folder of one call, made when its first file comes. */
export class DiskFolder {
  readonly #disk: UploadDisk;
  readonly #parent: string;
  #path: string | undefined;
  #bytes = 0;
  #removal: Promise<void> | undefined;

  constructor(disk: UploadDisk, parent: string) {
    this.#disk = disk;
    this.#parent = parent;
  }

  /** Writes a file as it comes. Throws a BodyError where the disk has no room, and whatever `bytes` throws. */
  async save(bytes: AsyncIterable<Uint8Array>, { fileName, contentType }: Description): Promise<UploadedFile> {
    let handle: FileHandle | undefined;
    try {
      this.#path ??= await mkdtemp(join(this.#parent, "tensile-upload-"));
      // The server has stopped in the meantime, and whatever was made until then is gone.
      if (this.#removal !== undefined) return await this.#refuse(this.#path);
      const path = join(this.#path, randomHex(16));
      handle = await open(path, "wx", 0o600);
      let size = 0;
      for await (const piece of bytes) {
        size += piece.length;
        if (!this.#disk.take(piece.length)) throw new BodyError(UploadStorageFull());
        this.#bytes += piece.length;
        await handle.writeFile(piece);
      }
      return new SavedFile(path, size, cleanName(fileName), contentType);
    } catch (error) {
      throw isFull(error) ? new BodyError(UploadStorageFull()) : error;
    } finally {
      await handle?.close();
    }
  }

  /** Safe to call twice; never rejects. */
  remove(): Promise<void> {
    return (this.#removal ??= this.#remove());
  }

  async #remove(): Promise<void> {
    if (this.#path !== undefined) await removeFolder(this.#path);
    this.#disk.give(this.#bytes);
    this.#disk.forget(this);
  }

  async #refuse(path: string): Promise<never> {
    await removeFolder(path);
    throw new BodyError(UploadStorageFull());
  }
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && fullCodes.has(String(error.code));
}

class SavedFile implements UploadedFile {
  readonly path: string;
  readonly size: number;
  readonly fileName: string | undefined;
  readonly contentType: string;

  constructor(path: string, size: number, fileName: string | undefined, contentType: string) {
    this.path = path;
    this.size = size;
    this.fileName = fileName;
    this.contentType = contentType;
  }

  async bytes(): Promise<Uint8Array> {
    return readFile(this.path);
  }

  stream(): AsyncIterable<Uint8Array> {
    return createReadStream(this.path) as AsyncIterable<Buffer>;
  }

  async moveTo(path: string): Promise<void> {
    try {
      // A second name costs nothing, and unlike a rename it takes nobody's place.
      await link(this.path, path);
    } catch (error) {
      const isThere = await stat(path).then(
        () => true,
        () => false,
      );
      if (isThere) throw error;
      await copyFile(this.path, path, constants.COPYFILE_EXCL);
    }
    await rm(this.path, { force: true });
  }
}

const longestName = 255;
/** Paths, what Windows refuses in names, control characters, and those that turn the direction of text round. */
// oxlint-disable-next-line no-control-regex
const unfit = /[\u0000-\u001f\u007f-\u009f\\/:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Undefined for what names nothing. */
export function cleanName(name: string | undefined): string | undefined {
  const clean = name?.toWellFormed().replace(unfit, "_").slice(0, longestName).toWellFormed().trim();
  return clean === undefined || /^\.*$/.test(clean) ? undefined : clean;
}
