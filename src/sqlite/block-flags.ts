/** What a block is told of the jobs in it, so that nobody looks inside for what is not there. */
import type { StoredEntry } from "./entries.ts";
import { blockLimited, blockTenants } from "./tables.ts";
import { keyFlags } from "./unique-key.ts";

export function blockFlagsOf(entry: StoredEntry): number {
  return (
    keyFlags(entry.key) |
    (entry.jobKey === undefined ? 0 : blockLimited) |
    (entry.tenant === undefined ? 0 : blockTenants)
  );
}
