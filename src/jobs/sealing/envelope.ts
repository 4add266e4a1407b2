/**
 * How a text that is compressed or encrypted is written. A store keeps texts, and JSON never begins with `~`, so that neither can be taken for
 * the other:
 *
 *   ~1z.<base64 of a zstd frame (RFC 8878)>
 *   ~1e.<key id>.<base64 of: salt (16), iv (12), ciphertext, tag (16)>
 *
 * 1 is the version of the form. Inside the ciphertext, the first byte says what follows: 0 the text in UTF-8, 1 its zstd frame.
 */
export type Envelope =
  | { readonly form: "compressed"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly form: "encrypted"; readonly key: string; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Written by a version of Tensile that this one does not know. */
  | { readonly form: "unknown" };

const mark = 0x7e;

/** The one check that a plain text pays. */
export function isSealed(text: string): boolean {
  return text.charCodeAt(0) === mark;
}

/** The same of its bytes. */
export function beginsSealed(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === mark;
}

export function writeCompressed(frame: Buffer): string {
  return `~1z.${frame.toString("base64")}`;
}

export function writeEncrypted(key: string, bytes: Buffer): string {
  return `~1e.${key}.${bytes.toString("base64")}`;
}

const encrypted = /^~1e\.([A-Za-z0-9_-]{1,32})\./;

/** Of a text that `isSealed`. */
export function readEnvelope(text: string): Envelope {
  if (text.startsWith("~1z.")) return { form: "compressed", bytes: Buffer.from(text.slice(4), "base64") };
  const found = encrypted.exec(text);
  if (found === null) return { form: "unknown" };
  return { form: "encrypted", key: found[1] as string, bytes: Buffer.from(text.slice(found[0].length), "base64") };
}
