/**
 * Where the owner of a shared file is reached: a Unix socket in a folder beside it that only its user may enter. Whoever holds the lock on the file may
 * listen there, and nobody else, so what a dead owner has left is removed by the next one.
 */
import { chmodSync, lstatSync, mkdirSync, rmdirSync, unlinkSync, type Stats } from "node:fs";

/** What fits into the address of a Unix socket: 104 bytes on macOS, 108 on Linux, one of them its end. */
const longestPath = 103;

export function socketOf(file: string): string {
  return `${folderOf(file)}/socket`;
}

function folderOf(file: string): string {
  return `${file}-share`;
}

/** Why the file cannot be shared at all; a mistake in the program. */
export function unsharable(file: string, platform: string = process.platform): string | undefined {
  if (file === ":memory:") return "A store in memory has nobody to share it with. Give it a file.";
  if (platform === "win32")
    return "Sharing an SQLite file between processes needs Unix sockets, which Windows does not have. Use PostgreSQL there.";
  const bytes = Buffer.byteLength(socketOf(file));
  if (bytes <= longestPath) return undefined;
  return `${socketOf(file)} has ${bytes} bytes, and the path of a Unix socket at most ${longestPath}. Put the file in a folder with a shorter name.`;
}

/** Makes the folder, and removes what a dead owner left. For the holder of the lock alone. Throws where somebody else could reach into it. */
export function prepareSocket(file: string): string {
  const folder = folderOf(file);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (thrown) {
    if (codeOf(thrown) !== "EEXIST") throw thrown;
  }
  checkFolder(file);
  const socket = socketOf(file);
  const left = stat(socket);
  if (left === undefined) return socket;
  if (!left.isSocket()) throw new Error(`${socket} is in the way: it is no socket. Remove it`);
  unlinkSync(socket);
  return socket;
}

/** Throws where the folder is not this user's alone: what is in it may be anybody's. */
export function checkFolder(file: string): void {
  const folder = folderOf(file);
  const found = stat(folder);
  if (found === undefined) return;
  const user = process.getuid?.();
  if (!found.isDirectory() || (user !== undefined && user !== 0 && found.uid !== user))
    throw new Error(`${folder} is not a folder of this user. Remove it, or run all processes of the file as one user`);
  if ((found.mode & 0o077) !== 0) throw new Error(`${folder} can be entered by other users. Set its mode to 0700`);
}

export function protectSocket(file: string): void {
  chmodSync(socketOf(file), 0o600);
}

/** Before the lock is given up. */
export function removeSocket(file: string): void {
  // Closing the server has removed its socket, unless it could not listen.
  for (const remove of [() => unlinkSync(socketOf(file)), () => rmdirSync(folderOf(file))]) {
    try {
      remove();
    } catch {
      // What stays is in nobody's way: the next owner removes it.
    }
  }
}

function stat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}
