/** What a command reads and writes: the process's streams, or a test's. */
import type { Readable, Writable } from "node:stream";

export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** A wrong call: said in one sentence, with exit code 2. */
export class Usage extends Error {}

/** What went wrong, in a sentence for whoever called: exit code 1. */
export class Failure extends Error {}

/** Waits while whoever reads is behind. */
export async function write(to: Writable, text: string): Promise<void> {
  if (to.write(text)) return;
  await new Promise<void>((resolve, reject) => {
    to.once("drain", resolve);
    to.once("error", reject);
  });
}
