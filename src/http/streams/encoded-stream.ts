/** An open stream whose items are JSON text already: what every carrier of streams writes. */
import { wrongItem, type ItemStream } from "../../contract/index.ts";
import type { Fault, Result } from "../../core/index.ts";
import type { Invalid } from "../../schema/index.ts";

export type EncodedStep =
  | { readonly type: "item"; readonly json: string; readonly id: string | undefined }
  | { readonly type: "end" }
  | { readonly type: "fault"; readonly fault: Fault }
  | { readonly type: "moved" }
  | { readonly type: "closed" };

export interface ItemCodec {
  encode(output: unknown): Result<string | null, Invalid>;
}

export class EncodedStream {
  readonly #stream: ItemStream;
  readonly #codec: ItemCodec;
  readonly #name: string;
  readonly #itemBytes: number;

  constructor(stream: ItemStream, codec: ItemCodec, name: string, itemBytes: number) {
    this.#stream = stream;
    this.#codec = codec;
    this.#name = name;
    this.#itemBytes = itemBytes;
  }

  /** Never rejects. Not to be called while another call is pending. */
  async next(): Promise<EncodedStep> {
    const step = await this.#stream.next();
    if (step.type !== "item") return step;
    try {
      const json = this.#codec.encode(step.item);
      if (!json.ok) return this.#fail(wrongItem(this.#name, json.fault.message));
      // Null only where there is no output, which no subscription is.
      const text = json.value as string;
      if (isLonger(text, this.#itemBytes)) return this.#fail(tooLong(this.#name, this.#itemBytes));
      return { type: "item", json: text, id: step.id };
    } catch (thrown) {
      // A getter of the item, or another library's schema, that throws.
      return this.#fail(thrown);
    }
  }

  /** The client has left, or the carrier has. Safe to call twice. */
  close(): void {
    this.#stream.close();
  }

  #fail(error: unknown): EncodedStep {
    return { type: "fault", fault: this.#stream.fail(error) };
  }
}

const encoder = new TextEncoder();

function isLonger(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  // A UTF-16 unit is at most three bytes of UTF-8.
  return text.length * 3 > bytes && encoder.encode(text).length > bytes;
}

function tooLong(name: string, limit: number): TypeError {
  return new TypeError(
    `"${name}" yielded an item of more than ${limit} bytes of JSON. Send a reference to it, or raise the stream limit "itemBytes".`,
  );
}
