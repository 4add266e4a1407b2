/**
 * A format beside JSON in which a whole value travels. What it is made of comes from elsewhere (`tensile/formats`): here is only what
 * HTTP and the client need to know of it.
 */
import type { Result } from "../core/index.ts";
import type { Invalid } from "./issues.ts";

/** Between bytes and the wire values of `compileBinary`. */
export interface BinaryLibrary {
  /** Refuses what JSON would refuse as text: cut or followed by more, invalid UTF-8, a repeated key. Memory stays in proportion to the bytes. */
  decode(bytes: Uint8Array): Result<unknown, Invalid>;
  encode(wire: unknown): Uint8Array;
}

/** Values in both directions: MessagePack, CBOR. */
export interface BinaryFormat {
  readonly kind: "binary";
  /** For messages. */
  readonly name: string;
  /** Media types that mean this format. The first is the one that is written. */
  readonly types: readonly [string, ...string[]];
  /** Rejects with a sentence that says what to install when the library is missing. */
  load(): Promise<BinaryLibrary>;
}

/** Request bodies alone: fields as texts. */
export interface FormFormat {
  readonly kind: "form";
  readonly name: string;
  readonly types: readonly [string, ...string[]];
}

export type Format = BinaryFormat | FormFormat;
