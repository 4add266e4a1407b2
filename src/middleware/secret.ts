/**
 * What touches secrets: hashes, signatures, comparisons that take the same time wherever two texts differ. WebCrypto alone, so
 * that it runs where there is no Node.
 */
const encoder = new TextEncoder();

/** RFC 4648 section 5, without padding. */
function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Unguessable text of `bytes` random bytes, as base64url. */
export function randomToken(bytes: number): string {
  return base64url(crypto.getRandomValues(new Uint8Array(bytes)));
}

export async function sha256(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}

/** Whether two texts are equal, in a time that depends on their lengths alone. */
export function equalSecrets(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  // The longest decides, so that a short guess takes as long as a full one.
  for (let i = 0; i < one.length || i < other.length; i++) difference |= charAt(one, i) ^ charAt(other, i);
  return difference === 0;
}

function charAt(text: string, i: number): number {
  const code = text.charCodeAt(i);
  return Number.isNaN(code) ? 0x1_0000 : code;
}

/** Signs with the first key and accepts what any of them signed, so that keys can be changed without a break. */
export interface Signer {
  sign(text: string): Promise<string>;
  verify(text: string, signature: string): Promise<boolean>;
}

/** Characters of a key at least: 256 bits as base64url are 43, as hexadecimal 64. */
const shortestKey = 32;

/**
 * HMAC-SHA256 (RFC 2104) under the given keys, the newest first.
 * @throws TypeError for no key, or one that is too short to be random.
 */
export function createSigner(owner: string, keys: readonly string[]): Signer {
  if (keys.length === 0) throw new TypeError(`${owner} needs at least one key to sign with.`);
  if (keys.some((key) => key.length < shortestKey))
    throw new TypeError(
      `${owner}: a key has at least ${shortestKey} random characters. Make one: openssl rand -base64 32`,
    );
  const imported = keys.map((key) => lazy(() => importKey(key)));
  const signWith = async (key: () => Promise<CryptoKey>, text: string): Promise<string> =>
    base64url(new Uint8Array(await crypto.subtle.sign("HMAC", await key(), encoder.encode(text))));
  return {
    sign: (text) => signWith(imported[0] as () => Promise<CryptoKey>, text),
    async verify(text, signature) {
      let valid = false;
      for (const key of imported) valid = equalSecrets(await signWith(key, text), signature) || valid;
      return valid;
    },
  };
}

function importKey(key: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", encoder.encode(key), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** Edge runtimes do not allow cryptography while a module is loading, so keys are imported at their first use. */
function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
