/** `Content-Disposition: attachment` with a file name (RFC 6266), in ASCII and, where that is not enough, in UTF-8 (RFC 8187). */

const longestName = 255;
/** Paths, what Windows refuses in names, control characters, and those that turn the direction of text round (`cod.exe`). */
// oxlint-disable-next-line no-control-regex
const unfit = /[\u0000-\u001f\u007f-\u009f\\/:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Any text is safe: what no file system could take becomes `_`. At most 255 UTF-16 units. */
export function attachment(name: string): string {
  const fit = name.toWellFormed().replace(unfit, "_").slice(0, longestName).toWellFormed();
  // Browsers disagree whether `%41` in the plain form is to be decoded.
  const ascii = fit.replace(/[^\x20-\x7e]|%/g, "_");
  const plain = `attachment; filename="${ascii}"`;
  return ascii === fit ? plain : `${plain}; filename*=UTF-8''${extended(fit)}`;
}

/** encodeURIComponent leaves `'()*!` alone, of which RFC 8187 allows only `!`. */
function extended(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
