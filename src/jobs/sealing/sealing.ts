/**
 * Compression and encryption of what jobs keep, in one place between the codecs and the store: payloads, results, notes, signals, progress and error
 * data. A store sees texts, and never learns what is in them.
 *
 * What is sealed says what it is (`envelope.ts`), so that it can be read whatever the options say now: only the keys must be there. Encryption
 * binds a text to its purpose and to its job (AAD): a text that was moved to another place does not open.
 */
import { Err, Ok, type Fault, type Result } from "../../core/index.ts";
import { InvalidPayload, type Contract } from "../../contract/index.ts";
import { PayloadLocked, PayloadNewer } from "../faults.ts";
import { compress, decompress } from "./compress.ts";
import { isSealed, readEnvelope, writeCompressed, writeEncrypted } from "./envelope.ts";
import { KeyRing, type Bytes, type Encryption } from "./key-ring.ts";
import type { NewJob } from "../store.ts";

export interface SealingOptions {
  readonly encryption?: Encryption | undefined;
  /** Texts longer than so many UTF-8 bytes are compressed. */
  readonly compressOver?: number | undefined;
  /** UTF-8 bytes that a compressed text may have when it is opened. */
  readonly mostBytes: number;
}

/** What a text is, and whose: part of what encryption proves. */
export type Place = readonly [
  purpose: "payload" | "result" | "note" | "progress" | "error",
  /** Of a payload the job's name, else its id: a payload is sealed before there is an id. */
  job: string,
  detail?: string | number,
];

export class Sealing {
  readonly #ring: KeyRing | undefined;
  readonly #over: number;
  readonly #most: number;
  /** Jobs that the contract says are not to be encrypted. */
  readonly #open: ReadonlySet<string>;

  constructor(ring: KeyRing | undefined, open: ReadonlySet<string>, over: number, most: number) {
    this.#ring = ring;
    this.#open = open;
    this.#over = over;
    this.#most = most;
  }

  /** False: nothing that is written changes, so that nobody needs to look. */
  get isActive(): boolean {
    return this.#ring !== undefined || this.#over !== Infinity;
  }

  /** Undefined: of a job whose name is not known here. */
  encrypts(name: string | undefined): boolean {
    return this.#ring !== undefined && (name === undefined || !this.#open.has(name));
  }

  /** Whether a text of a job would be kept in another form. */
  seals(name: string | undefined, text: string): boolean {
    return text.length > this.#over || this.encrypts(name);
  }

  async seal(name: string | undefined, text: string, place: Place): Promise<string> {
    const ring = this.encrypts(name) ? this.#ring : undefined;
    const frame = text.length > this.#over ? await compress(Buffer.from(text)) : undefined;
    if (ring === undefined) {
      if (frame === undefined) return text;
      const written = writeCompressed(frame);
      return written.length < text.length ? written : text;
    }
    const small = frame !== undefined && frame.length < text.length;
    const bytes = small ? Buffer.concat([oneByte(1), frame]) : Buffer.concat([oneByte(0), Buffer.from(text)]);
    return writeEncrypted(ring.current, await ring.seal(bytes, boundTo(place)));
  }

  /**
   * The text as it was. `PAYLOAD_LOCKED`: the key is missing. `PAYLOAD_NEWER`: sealed by a later version. `INVALID_PAYLOAD`: changed, moved from another place, broken or too
   * long.
   */
  async open(text: string, place: Place): Promise<Result<string, Fault>> {
    if (!isSealed(text)) return new Ok(text);
    const envelope = readEnvelope(text);
    if (envelope.form === "unknown") return new Err(PayloadNewer(laterForm(text), sealedLater));
    try {
      if (envelope.form === "compressed") return new Ok(await this.#unpack(envelope.bytes));
      const ring = this.#ring;
      if (ring?.has(envelope.key) !== true) return new Err(PayloadLocked({ key: envelope.key }));
      const opened = await ring.open(envelope.key, envelope.bytes, boundTo(place));
      const inside = opened.subarray(1);
      return new Ok(opened[0] === 1 ? await this.#unpack(inside) : Buffer.from(inside).toString("utf8"));
    } catch (thrown) {
      return new Err(broken(envelope.form, thrown, this.#most));
    }
  }

  /** A record as a store may see it. */
  async record(job: NewJob): Promise<NewJob> {
    const { name, uniqueKey } = job;
    const payload = await this.seal(name, job.payload, ["payload", name]);
    if (uniqueKey === undefined || this.#ring === undefined || !this.encrypts(name)) return { ...job, payload };
    if (!this.#ring.hidesUniqueKeys) throw new TypeError(`enqueue("${name}") was given a unique key, ${whichKey}`);
    const scope = job.unique?.scope ?? name;
    return { ...job, payload, uniqueKey: await this.#ring.hideUniqueKey(scope, uniqueKey) };
  }

  async #unpack(frame: Uint8Array): Promise<string> {
    return (await decompress(frame, this.#most)).toString("utf8");
  }
}

/** What reads sealed texts and writes none. */
export const plainSealing = (mostBytes: number): Sealing => new Sealing(undefined, new Set(), Infinity, mostBytes);

/** Rejects with a TypeError for wrong options, and for jobs that ask for what the options do not give. */
export async function openSealing(contract: Contract, options: SealingOptions): Promise<Sealing> {
  const { encryption, compressOver = Infinity, mostBytes } = options;
  const asked = contract.jobs.find((job) => job.settings.encrypt === true);
  if (encryption === undefined) {
    if (asked === undefined) return new Sealing(undefined, new Set(), compressOver, mostBytes);
    throw new TypeError(
      `job("${asked.name}") says encrypt: true, and there are no keys. Give { encryption: { keys: { k1 }, current: "k1" } }.`,
    );
  }
  const ring = await KeyRing.open(encryption);
  const open = new Set(contract.jobs.filter((job) => job.settings.encrypt === false).map((job) => job.name));
  const unique = contract.jobs.find((job) => job.settings.unique !== undefined && !open.has(job.name));
  if (unique !== undefined && !ring.hidesUniqueKeys) {
    throw new TypeError(`job("${unique.name}") is unique, ${whichKey}`);
  }
  return new Sealing(ring, open, compressOver, mostBytes);
}

const whichKey =
  "and encryption has several keys. Say in encryption.uniqueWith which one hides unique keys: the oldest, and the same from now on.";

const sealedLater = "What this job keeps was sealed by a later version of Tensile. Deploy that version here too.";

/** The digit after the mark. */
function laterForm(text: string): { version: number; known: number } {
  const version = Number.parseInt(text.charAt(1), 10);
  return { version: Number.isNaN(version) ? 0 : version, known: 1 };
}

function oneByte(value: number): Uint8Array {
  return Uint8Array.of(value);
}

function boundTo(place: Place): Bytes {
  return Buffer.from(JSON.stringify(place));
}

/** The cause of a failed decryption is not told by WebCrypto, on purpose. */
function broken(form: "compressed" | "encrypted", thrown: unknown, most: number): Fault {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  const why =
    code === "ERR_BUFFER_TOO_LARGE"
      ? `it has more than ${most} bytes when it is decompressed`
      : form === "compressed"
        ? "its compressed form is broken"
        : "it was changed, or sealed for another job or purpose";
  return InvalidPayload(
    { issues: [{ pointer: "", code: "sealed", message: `The stored text cannot be opened: ${why}.` }] },
    `What the store keeps of this job cannot be opened: ${why}.`,
  );
}
