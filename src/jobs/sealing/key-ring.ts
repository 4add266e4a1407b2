/**
 * The keys of an app's jobs: AES-256-GCM (NIST SP 800-38D) by WebCrypto.
 *
 * GCM with random 96-bit IVs must not seal more than 2^32 texts under one key, which a busy worker does in a day. So no text is sealed
 * under the given key itself: a writer derives a key of its own (HKDF-SHA-256, RFC 5869, with 128 random bits of salt), seals at most 2^20 texts
 * under it, and derives the next. The salt is in the envelope; readers keep the keys that they derived, a bounded number of them.
 */
import { webcrypto } from "node:crypto";

/** How the payloads, results, notes and error data of jobs are encrypted. */
export interface Encryption {
  /**
   * Keys by id: 32 random bytes, or their base64, as `openssl rand -base64 32` prints. Ids are 1 to 32 letters, digits, `_` or `-`. Keep an old key as
   * long as jobs that were sealed with it are kept. An undefined one (a variable that is not set) is refused at start.
   */
  readonly keys: { readonly [id: string]: string | Uint8Array | undefined };
  /** The id of the key that seals from now on. */
  readonly current: string;
  /**
   * The id of the key by which unique keys are hidden (HMAC-SHA-256). Equal inputs have equal unique keys only under one key, so leave it as it is when you rotate.
   * Default: the only key. Needed when there are several.
   */
  readonly uniqueWith?: string;
}

/** What WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

const { subtle } = webcrypto;
type CryptoKey = webcrypto.CryptoKey;
const saltBytes = 16;
const ivBytes = 12;
const tagBytes = 16;
/** Texts under one derived key. With random IVs of 96 bits two are equal with a probability of 2^-57. */
const textsPerKey = 1_048_576;
/** Derived keys that a reader keeps; the oldest goes first. */
const readersKept = 256;
const sealInfo = Buffer.from("tensile jobs: AES-256-GCM, v1");
const uniqueInfo = Buffer.from("tensile jobs: unique keys by HMAC-SHA-256, v1");
const none = new Uint8Array(0);

interface Writer {
  readonly salt: Bytes;
  readonly key: Promise<CryptoKey>;
  left: number;
}

export class KeyRing {
  readonly current: string;
  readonly #keys: ReadonlyMap<string, CryptoKey>;
  readonly #unique: CryptoKey | undefined;
  readonly #readers = new Map<string, Promise<CryptoKey>>();
  #writer: Writer | undefined;

  private constructor(current: string, keys: ReadonlyMap<string, CryptoKey>, unique: CryptoKey | undefined) {
    this.current = current;
    this.#keys = keys;
    this.#unique = unique;
  }

  /** Rejects with a TypeError that says what is wrong with the keys, and never shows one. */
  static async open({ keys, current, uniqueWith }: Encryption): Promise<KeyRing> {
    const ids = Object.keys(keys);
    const imported = new Map<string, CryptoKey>();
    for (const id of ids) imported.set(id, await importKey(id, keys[id]));
    if (!imported.has(current)) {
      throw new TypeError(
        `encryption.current is "${current}", which is not among encryption.keys (${ids.join(", ")}).`,
      );
    }
    const by = uniqueWith ?? (ids.length === 1 ? current : undefined);
    if (by === undefined) return new KeyRing(current, imported, undefined);
    const base = imported.get(by);
    if (base === undefined) {
      throw new TypeError(`encryption.uniqueWith is "${by}", which is not among encryption.keys (${ids.join(", ")}).`);
    }
    const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
    const derivation = { name: "HKDF", hash: "SHA-256", salt: none, info: uniqueInfo };
    return new KeyRing(current, imported, await subtle.deriveKey(derivation, base, hmac, false, ["sign"]));
  }

  /** False: unique keys cannot be hidden, because nobody said by which key. */
  get hidesUniqueKeys(): boolean {
    return this.#unique !== undefined;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Salt, IV, ciphertext and tag, under the current key. */
  async seal(bytes: Bytes, additionalData: Bytes): Promise<Buffer> {
    const writer = this.#nextWriter();
    const iv = webcrypto.getRandomValues(new Uint8Array(ivBytes));
    const key = await writer.key;
    const sealed = await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, bytes);
    return Buffer.concat([writer.salt, iv, new Uint8Array(sealed)]);
  }

  /** Rejects when the text was changed, or was sealed for another place. `key`: one that the ring has. */
  async open(key: string, bytes: Bytes, additionalData: Bytes): Promise<Bytes> {
    if (bytes.length < saltBytes + ivBytes + tagBytes) throw new RangeError("too short for what it says it is");
    const reader = await this.#reader(key, bytes.subarray(0, saltBytes));
    const iv = bytes.subarray(saltBytes, saltBytes + ivBytes);
    const opened = await subtle.decrypt(
      { name: "AES-GCM", iv, additionalData },
      reader,
      bytes.subarray(saltBytes + ivBytes),
    );
    return new Uint8Array(opened);
  }

  /** The same text for the same key and scope, and nothing about the key to those who have not the ring's. */
  async hideUniqueKey(scope: string, key: string): Promise<string> {
    // Whoever makes the ring has seen to it that there is a key for this.
    const mac = await subtle.sign("HMAC", this.#unique as CryptoKey, Buffer.from(JSON.stringify([scope, key])));
    return `hmac:${Buffer.from(mac).toString("base64url")}`;
  }

  #nextWriter(): Writer {
    let writer = this.#writer;
    if (writer === undefined || writer.left === 0) {
      const salt = webcrypto.getRandomValues(new Uint8Array(saltBytes));
      writer = { salt, key: this.#derive(this.current, salt), left: textsPerKey };
      this.#writer = writer;
    }
    writer.left--;
    return writer;
  }

  #reader(id: string, salt: Bytes): Promise<CryptoKey> {
    const name = `${id}.${Buffer.from(salt).toString("base64")}`;
    const known = this.#readers.get(name);
    if (known !== undefined) return known;
    if (this.#readers.size >= readersKept) this.#readers.delete(this.#readers.keys().next().value as string);
    const made = this.#derive(id, salt);
    this.#readers.set(name, made);
    return made;
  }

  #derive(id: string, salt: Bytes): Promise<CryptoKey> {
    const derivation = { name: "HKDF", hash: "SHA-256", salt, info: sealInfo };
    const aes = { name: "AES-GCM", length: 256 };
    // `id` was looked up by whoever asks.
    return subtle.deriveKey(derivation, this.#keys.get(id) as CryptoKey, aes, false, ["encrypt", "decrypt"]);
  }
}

function importKey(id: string, given: string | Uint8Array | undefined): Promise<CryptoKey> {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) {
    throw new TypeError(`encryption.keys: "${id}" is no key id: 1 to 32 letters, digits, "_" or "-".`);
  }
  const bytes = typeof given === "string" ? Buffer.from(given, "base64") : given;
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32) {
    throw new TypeError(
      `encryption.keys: the key "${id}" has ${bytes?.length ?? 0} bytes, not 32. Make one with: openssl rand -base64 32`,
    );
  }
  return subtle.importKey("raw", Uint8Array.from(bytes), "HKDF", false, ["deriveKey"]);
}
