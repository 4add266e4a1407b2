/**
 * What the handler of a subscription is: the types that make a wrong item and an undeclared fault compile errors, and the reading
 * of what it returned and yielded.
 *
 * A stream yields items. It ends by returning: nothing, or a declared fault. `yield* result` works as in every handler: it goes on
 * with the value, or ends the stream with the fault, because iterating an `Err` yields that `Err`, and an `Err` is never an item.
 */
import { Err, Fault, Ok, isPromiseLike, type MaybePromise, type Result } from "../core/index.ts";

/** An item with its id: made by `event`. */
export class StreamEvent<out T> {
  readonly item: T;
  readonly id: string;

  constructor(item: T, id: string) {
    this.item = item;
    this.id = id;
  }
}

/**
 * An item with the id under which a client may come back for what follows it. For subscriptions with `resume: true`.
 *
 * `id`: 1 to 256 characters of visible ASCII, because it travels as a header field (WHATWG HTML section 9.2, `Last-Event-ID`).
 *
 * @example
 * const next = event({ id: 7, name: "Porto" }, { id: "1042" });
 */
export function event<T>(item: T, options: { readonly id: string }): StreamEvent<T> {
  return new StreamEvent(item, options.id);
}

/** What a stream may yield: an item, an item with its id, and, by `yield* result`, the fault that ends it. */
export type Yielded<T, F extends Fault> = T | StreamEvent<T> | Err<F>;
/** How a stream ends: completely, or with a declared fault. */
export type StreamEnd<F extends Fault> = void | undefined | F | Result<undefined, F>;

export type ItemSource<T, F extends Fault> = AsyncIterable<Yielded<T, F>, StreamEnd<F>>;

/** An async generator of items, any other AsyncIterable, or a promise of one; or a declared fault in its place. */
export type StreamReturn<T, F extends Fault> = MaybePromise<
  ItemSource<T, F> | F | Err<F> | Result<ItemSource<T, F>, F>
>;

/** What the handler of a subscription returned, as a Result of what it streams. Throws only what the handler threw, and for a wrong return. */
export function settleStream(returned: unknown): MaybePromise<Result<unknown, Fault>> {
  if (returned instanceof Err) return returned;
  if (returned instanceof Fault) return new Err(returned);
  if (returned instanceof Ok) return settleStream(returned.value);
  if (typeof returned === "object" && returned !== null) {
    if (isPromiseLike(returned)) return Promise.resolve(returned).then(settleStream);
    if (Symbol.asyncIterator in returned) return new Ok(returned);
  }
  throw new TypeError(
    "The handler of a subscription gave no stream. Write it as `async function*`, or return an AsyncIterable or a fault.",
  );
}

/** The one spelling of an id that every carrier can bring back. */
const idPattern = /^[\x21-\x7e]{1,256}$/;
/** Ids of our own on the wire (see http/streams): a handler's may not look like one. */
const reservedIds = "tensile:";

export function isStreamId(id: unknown): id is string {
  return typeof id === "string" && idPattern.test(id) && !id.startsWith(reservedIds);
}
