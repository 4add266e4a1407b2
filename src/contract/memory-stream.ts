/** A subscription in the same process: items pass through the same codecs as on the wire. */
import { Err, type Fault, type Result } from "../core/index.ts";
import { compile, type Codec } from "../schema/index.ts";
import type { BoundApp, BoundOperation } from "./bind.ts";
import type { OpenStream } from "./bind-stream.ts";
import { invalidInput } from "./framework-faults.ts";
import type { ItemStream } from "./item-stream.ts";
import { incomingOf, type MemoryCallOptions } from "./memory-incoming.ts";
import { schemaOf } from "./operation.ts";
import { StreamMoved } from "./stream-faults.ts";
import { resultStream, streamFailed, streamed, type ResultSource, type ResultStream } from "./result-stream.ts";

type AnyCodec = Codec<unknown, unknown>;

export function memoryStream(
  app: BoundApp,
  bound: BoundOperation,
  open: OpenStream,
): (input: unknown, options?: MemoryCallOptions) => ResultStream<unknown, Fault> {
  const codecs: { input?: AnyCodec; output?: AnyCodec } = {};
  return (input, options = {}) =>
    resultStream(() => new MemorySource(app, bound, open, codecs, input, options), options.lastEventId);
}

class MemorySource implements ResultSource<unknown, Fault> {
  readonly #app: BoundApp;
  readonly #bound: BoundOperation;
  readonly #open: OpenStream;
  readonly #codecs: { input?: AnyCodec; output?: AnyCodec };
  readonly #input: unknown;
  readonly #options: MemoryCallOptions;
  #stream: ItemStream | undefined;
  #closed = false;

  constructor(
    app: BoundApp,
    bound: BoundOperation,
    open: OpenStream,
    codecs: { input?: AnyCodec; output?: AnyCodec },
    input: unknown,
    options: MemoryCallOptions,
  ) {
    this.#app = app;
    this.#bound = bound;
    this.#open = open;
    this.#codecs = codecs;
    this.#input = input;
    this.#options = options;
  }

  async next(): ReturnType<ResultSource<unknown, Fault>["next"]> {
    try {
      if (this.#stream === undefined) {
        const opened = await this.#start();
        if (!opened.ok) return streamFailed(opened.fault);
        this.#stream = opened.value;
        if (this.#closed) this.#stream.close();
      }
      const step = await this.#stream.next();
      if (step.type === "item") return await this.#item(step.item, step.id);
      if (step.type === "fault") return streamFailed(step.fault);
      return step.type === "moved" ? streamFailed(StreamMoved()) : undefined;
    } catch (thrown) {
      // A schema of another library, or a getter of the value.
      return streamFailed(this.#stream?.fail(thrown) ?? this.#app.defect(this.#bound.operation.name, thrown));
    }
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
  }

  async #start(): Promise<Result<ItemStream, Fault>> {
    const codec = (this.#codecs.input ??= compile(schemaOf(this.#bound.operation.input)));
    const written = codec.encode(this.#input);
    const decoded = written.ok ? await codec.parse(written.value) : written;
    if (!decoded.ok) return new Err(invalidInput(decoded.fault));
    const incoming = { ...incomingOf(this.#options), lastEventId: this.#options.lastEventId };
    const admitted = await this.#bound.admitAs(this.#options.auth, incoming);
    if (!admitted.ok) return admitted;
    return this.#open(incoming, admitted.value, decoded.value);
  }

  async #item(item: unknown, id: string | undefined): ReturnType<ResultSource<unknown, Fault>["next"]> {
    const codec = (this.#codecs.output ??= compile(schemaOf(this.#bound.operation.output)));
    const written = codec.encode(item);
    const read = written.ok ? await codec.parse(written.value) : written;
    if (read.ok) return streamed(read.value, id);
    const stream = this.#stream as ItemStream;
    return streamFailed(stream.fail(wrongItem(this.#bound.operation.name, read.fault.message)));
  }
}

/** What the log says of an item that does not fit. */
export function wrongItem(name: string, message: string): TypeError {
  return new TypeError(`"${name}" yielded an item that does not fit its schema: ${message}`);
}
