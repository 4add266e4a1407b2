/**
 * Which paths of a URL may name a file at all. What passes here cannot leave a folder by its text; that it does not leave it by a
 * symbolic link is seen when it is resolved (`open-file.ts`).
 */

/** What Windows reads as a device, with any extension; and characters it gives a meaning of their own (drives, streams, wildcards). */
const windowsDevice = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:[. ].*)?$/i;
const windowsSpecial = /[<>:"|?*]|[. ]$/;
// Backslash is a separator on Windows and nothing that a URL of ours needs elsewhere; NUL ends a path in C.
// oxlint-disable-next-line no-control-regex
const neverSafe = /[\\/\u0000-\u001f\u007f]/;

/**
 * The segments of a percent-decoded path below the folder, `""` for the folder itself. Undefined for what is refused: empty
 * segments (so absolute paths too), dot segments, dotfiles, backslashes, control characters, lone surrogates, and on Windows
 * device names and special characters. A slash at the end gives a last segment of `""`.
 */
export function safeSegments(path: string, windows: boolean): readonly string[] | undefined {
  if (path === "") return [""];
  if (!path.isWellFormed()) return undefined;
  const segments = path.split("/");
  const last = segments.length - 1;
  const safe = segments.every((segment, i) => (segment === "" ? i === last && last > 0 : isSafeName(segment, windows)));
  return safe ? segments : undefined;
}

function isSafeName(name: string, windows: boolean): boolean {
  if (name.startsWith(".") || neverSafe.test(name)) return false;
  return !windows || !(windowsDevice.test(name) || windowsSpecial.test(name));
}
