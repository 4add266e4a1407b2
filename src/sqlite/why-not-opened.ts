/** Why a file cannot be opened, in a sentence for whoever starts the program: SQLite says no more than "unable to open database file". */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { sqliteCode } from "./failures.ts";

const readOnly = 8;
const cannotOpen = 14;
const noDatabase = 26;

export function whyNotOpened(path: string, thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (sqliteCode(thrown) ?? 0) & 0xff;
  return `${path} cannot be opened: ${message}${advice(path, code) ?? ""}`;
}

function advice(path: string, code: number): string | undefined {
  if (code === noDatabase) return ". Name another file: this one holds something else.";
  if (code !== cannotOpen && code !== readOnly) return undefined;
  const folder = dirname(path);
  if (kindOf(path) === "folder") return ". It is a folder: name a file in it.";
  if (kindOf(folder) === undefined) return `. There is no folder ${folder}: make it first.`;
  if (kindOf(path) === "file" && !mayWrite(path)) return ". This user may not write the file.";
  if (!mayWrite(folder))
    return `. This user may not write in ${folder}, where the files beside it go (-wal, -shm, -owner).`;
  return undefined;
}

function kindOf(path: string): "file" | "folder" | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return found.isDirectory() ? "folder" : "file";
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
