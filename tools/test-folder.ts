/** A folder of its own for a test, gone when the test is over. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `run` with the path of a file that is not there yet. */
export async function inFolder(run: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-"));
  try {
    await run(join(folder, "jobs.db"));
  } finally {
    await rm(folder, { recursive: true });
  }
}
