/**
 * The fetch carrier: a Web Request to a Web Response, for edge runtimes and for tests in memory. Imports nothing of Node.
 *
 * It has no say in what the platform has already parsed: a URL's dot segments are resolved before they come here, and header
 * fields are normalised. Everything after that is the same handler as behind the engine.
 */
import { BadBody, ClientGone, PayloadTooLarge } from "../contract/index.ts";
import { Err, Ok, isPromiseLike, joinBytes, type MaybePromise, type Result } from "../core/index.ts";
import { BodyError, type BodyFault, type HttpHandler, type HttpRequest, type HttpResponse } from "../exchange/index.ts";

export type Fetch = (request: Request) => Promise<Response>;

/**
 * Never rejects.
 *
 * @example
 * const fetch = createFetch(createHttpHandler(app));
 * export default { fetch }; // Cloudflare Workers, Deno, Bun
 */
export function createFetch(handler: HttpHandler): Fetch {
  return async (request) => toResponse(request, await handler(new FetchRequest(request)));
}

class FetchRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly remoteAddress = "";
  /** As the URL says: behind a proxy it may be the proxy's own connection. */
  readonly secure: boolean;
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
    this.method = request.method;
    this.target = targetOf(request.url);
    this.secure = request.url.startsWith("https:");
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  headerPairs(): readonly string[] {
    return [...this.#request.headers].flat();
  }

  body(limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    const { body } = this.#request;
    if (body === null) return new Ok(new Uint8Array(0));
    const announced = this.#request.headers.get("content-length");
    if (announced !== null && Number(announced) > limit) return new Err(PayloadTooLarge({ limit }));
    return readAll(body, limit, this.#request.signal);
  }

  bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    const { body, signal, headers, bodyUsed } = this.#request;
    if (bodyUsed || body?.locked === true) return new Err(BadBody({ reason: "it has been read already" }));
    const announced = headers.get("content-length");
    if (announced !== null && Number(announced) > limit) return new Err(PayloadTooLarge({ limit }));
    return new Ok(body === null ? none() : new WebBodyStream(body.getReader(), limit, signal));
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

class WebBodyStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #limit: number;
  readonly #signal: AbortSignal;
  #length = 0;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, limit: number, signal: AbortSignal) {
    this.#reader = reader;
    this.#limit = limit;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    let step: ReadableStreamReadResult<Uint8Array>;
    try {
      step = await this.#reader.read();
    } catch {
      throw new BodyError(this.#signal.aborted ? ClientGone() : BadBody({ reason: "the stream broke off" }));
    }
    if (step.done) return { done: true, value: undefined };
    this.#length += step.value.length;
    if (this.#length <= this.#limit) return { done: false, value: step.value };
    await this.return();
    throw new BodyError(PayloadTooLarge({ limit: this.#limit }));
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    // Whether the sender minds is of no concern.
    await this.#reader.cancel().catch(() => undefined);
    return { done: true, value: undefined };
  }
}

/** Path and query of an absolute URL, as they stand in it. */
function targetOf(url: string): string {
  const slash = url.indexOf("/", url.indexOf("//") + 2);
  const hash = url.indexOf("#");
  const target = slash === -1 ? "/" : url.slice(slash, hash === -1 ? undefined : hash);
  return target;
}

async function readAll(
  body: ReadableStream<Uint8Array>,
  limit: number,
  signal: AbortSignal,
): Promise<Result<Uint8Array, BodyFault>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    // A body that somebody else reads already gives an error here, not in the handler.
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > limit) {
        // Whether the sender minds is of no concern: the answer is made.
        void reader.cancel().catch(() => undefined);
        return new Err(PayloadTooLarge({ limit }));
      }
      chunks.push(value);
    }
  } catch {
    return new Err(signal.aborted ? ClientGone() : BadBody({ reason: "the stream broke off" }));
  }
  return new Ok(chunks.length === 1 ? (chunks[0] as Uint8Array) : joinBytes(chunks, length));
}

function toResponse(request: Request, { status, headers, body, length: known }: HttpResponse): Response {
  // An upgrade that nobody offered: `canUpgrade` is never true here.
  if (status < 200) return new Response(null, { status: 500 });
  const fields = new Headers();
  for (let i = 0; i < headers.pairs.length; i += 2)
    fields.append(headers.pairs[i] as string, headers.pairs[i + 1] as string);
  // The Response constructor refuses a body with these.
  const bodyless = status === 204 || status === 205 || status === 304;
  if (request.method === "HEAD" || bodyless || body === null) {
    const length = lengthOf(body) ?? known;
    if (request.method === "HEAD" && !bodyless && (length !== undefined || body === null))
      fields.set("content-length", String(length ?? 0));
    if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) closeUnread(body);
    return new Response(null, { status, headers: fields });
  }
  // Workers would code a body again that says how it is coded. Others do not know the name.
  const init: ResponseInit & { readonly encodeBody: string } = { status, headers: fields, encodeBody: "manual" };
  if (typeof body === "string") return new Response(body, init);
  if (body instanceof Uint8Array) return new Response(body as Uint8Array<ArrayBuffer>, init);
  if (known !== undefined) fields.set("content-length", String(known));
  return new Response(streamOf(body, known), init);
}

/** Undefined where only the response can know. */
function lengthOf(body: HttpResponse["body"]): number | undefined {
  if (typeof body === "string") return new TextEncoder().encode(body).length;
  return body instanceof Uint8Array ? body.length : undefined;
}

/** An iterable that nobody will read still frees what it holds. */
function closeUnread(body: AsyncIterable<Uint8Array>): void {
  const closing = body[Symbol.asyncIterator]().return?.();
  if (isPromiseLike(closing)) void Promise.resolve(closing).catch(() => undefined);
}

/** Pulls one chunk at a time, as fast as the reader asks. A body that breaks the promise of its length is an error of the stream. */
function streamOf(body: AsyncIterable<Uint8Array>, length?: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = body[Symbol.asyncIterator]();
  let given = 0;
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done !== true) given += next.value.length;
      if (length !== undefined && (given > length || (next.done === true && given < length))) {
        closeUnread({ [Symbol.asyncIterator]: () => iterator });
        throw new TypeError(`A streamed HTTP body gave ${given} bytes where its answer promised ${length}.`);
      }
      if (next.done === true) controller.close();
      else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
