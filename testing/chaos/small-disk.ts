/**
 * A disk that can be filled without filling the machine's: a small file system in memory (tmpfs), which root can mount. Where that is not allowed it is a plain
 * folder, and the disk is never full: `sqlite-full-disk.test.ts` has a limit on the size of files instead.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly folder: string;
  /** False: it is the machine's own disk. */
  readonly isOwn: boolean;
  /** Takes all the room that is left. Returns what gives it back. */
  fill(): () => void;
  remove(): void;
}

export function smallDisk(mebibytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), "tensile-disk-"));
  // A server that runs as another user has to come through.
  chmodSync(folder, 0o755);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tensile-chaos", folder]);
  const isOwn = mounted.status === 0;
  return {
    folder,
    isOwn,
    fill() {
      const ballast = join(folder, "ballast");
      const file = openSync(ballast, "w");
      // In ever smaller pieces, so that not a page is left.
      for (let bytes = 1_048_576; bytes >= 4_096; bytes /= 4) {
        const piece = new Uint8Array(bytes);
        try {
          for (;;) if (writeSync(file, piece) < bytes) break;
        } catch {
          // It is full for pieces of that size.
        }
      }
      closeSync(file);
      return () => rmSync(ballast, { force: true });
    },
    remove() {
      if (isOwn) spawnSync("umount", ["-l", folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
