/**
 * The typed client: one method for each operation of a contract. A call never throws and never rejects; it gives the same Result
 * that the handler gave, or a fault that says how far it came. Runs wherever there is `fetch`: browsers, Node, edge runtimes,
 * and in memory against `app.fetch`.
 */
import {
  InvalidInput,
  exponential,
  httpPlan,
  type Body,
  type BodyOf,
  type CallFaultOf,
  type ClientBody,
  type Contract,
  type InputOf,
  type Members,
  type Operation,
  type OperationName,
  type OutputOf,
  type ResultStream,
} from "../contract/index.ts";
import { Err, durationMs, systemClock, type Fault, type Result } from "../core/index.ts";
import type { CallOptions, ClientOptions, SubscribeOptions } from "./client-options.ts";
import { bodyEncoder } from "./encode-body.ts";
import { requestEncoder, type ClientFormat, type RequestEncoder } from "./encode-request.ts";
import { responseReader, type ResponseReader } from "./read-response.ts";
import { reasonOf, sendCall, type ClientSettings } from "./send-call.ts";
import { subscribeCall } from "./subscribe.ts";
import { bounded, type TransportFault } from "./transport-faults.ts";

/** An input without required fields may be left out. */
type CallArguments<I, O> = Record<never, never> extends I ? [input?: I, options?: O] : [input: I, options?: O];
/** A streamed body is needed. */
type MutationArguments<I, B> = [B] extends [Body]
  ? [input: I, options: CallOptions & { readonly body: ClientBody<B> }]
  : CallArguments<I, CallOptions>;

/** A subscription is iterated: `for await (const item of client.cityChanges({}))`. Nothing is sent before that. */
export type Client<M extends Members, F extends Fault = never> = {
  readonly [K in OperationName<M>]: M[K]["type"] extends "subscription"
    ? (
        ...call: CallArguments<InputOf<M[K]>, SubscribeOptions>
      ) => ResultStream<OutputOf<M[K]>, CallFaultOf<M[K]> | F | TransportFault>
    : (
        ...call: MutationArguments<InputOf<M[K]>, BodyOf<M[K]>>
      ) => Promise<Result<OutputOf<M[K]>, CallFaultOf<M[K]> | F | TransportFault>>;
};

type AnyOptions = CallOptions & { readonly body?: unknown };
type AnyCall = (input?: unknown, options?: AnyOptions) => Promise<Result<unknown, Fault>>;

/**
 * @throws TypeError for a URL that is none, a wrong duration or retry, or an operation that HTTP cannot carry.
 * @example
 * const client = createClient(atlas, { url: "http://127.0.0.1:3000" });
 * const city = await client.getCity({ id: 1 }, { timeout: "2s" });
 * console.log(city.ok ? city.value.name : city.fault.code);
 */
export function createClient<M extends Members, F extends Fault>(
  contract: Contract<M, F>,
  options: ClientOptions,
): Client<M, F> {
  const settings = settingsOf(options);
  const calls = contract.operations.map(
    (operation) =>
      [
        operation.name,
        operation.type === "subscription"
          ? subscribeCall(operation, contract, settings)
          : operationCall(operation, contract, settings),
      ] as const,
  );
  // The loop gives each member of the contract its call; the compiler cannot follow names through entries, hence the detour.
  return Object.freeze(Object.fromEntries(calls)) as unknown as Client<M, F>;
}

function settingsOf(options: ClientOptions): ClientSettings {
  const base = String(options.url).replace(/\/+$/, "");
  const origin = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  if (!URL.canParse(`${base}/`, origin)) {
    throw new TypeError(
      `createClient(): "${String(options.url)}" is not a URL. Write where the API is, such as "http://127.0.0.1:3000".`,
    );
  }
  const attempts = options.retry?.attempts ?? 1;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 10)
    throw new TypeError(`createClient(): retry.attempts is 1 to 10, not ${attempts}.`);
  return {
    options,
    base,
    clock: options.clock ?? systemClock,
    timeoutMs: durationMs(options.timeout ?? "30s"),
    attempts,
    backoff: options.retry?.backoff ?? exponential({ first: "100ms", max: "5s" }),
    // Not called as a method of `options`: browsers refuse a fetch whose `this` is not the window.
    format: formatOf(options),
    send: options.fetch ?? ((request) => fetch(request)),
  };
}

/** Its package is loaded by the first call. */
function formatOf({ format }: ClientOptions): ClientSettings["format"] {
  if (format === undefined) return () => undefined;
  if (format.kind !== "binary")
    throw new TypeError("createClient(): format is messagePack() or cbor() of tensile/formats.");
  let loaded: ClientFormat | undefined;
  return async () => (loaded ??= { ...format, library: await format.load() });
}

/** Codecs are compiled when the operation is first called: a page uses few of a contract's operations. */
function operationCall(operation: Operation, contract: Contract, settings: ClientSettings): AnyCall {
  const plan = httpPlan(operation);
  const { maxResponseBytes = 8 * 1024 * 1024 } = settings.options;
  const encodeBody = plan.upload === undefined ? undefined : bodyEncoder(plan.upload);
  const defaultMs =
    plan.upload !== undefined && settings.options.timeout === undefined ? durationMs("1h") : settings.timeoutMs;
  let encode: RequestEncoder | undefined;
  let read: ResponseReader | undefined;
  const call = async (input: unknown, options: AnyOptions): Promise<Result<unknown, Fault>> => {
    const format = await settings.format();
    encode ??= requestEncoder(plan, format);
    read ??= responseReader(plan, [...contract.faults, ...operation.faults], maxResponseBytes, format);
    const encoded = encode(input);
    if (!encoded.ok) return encoded;
    const streamed = encodeBody?.(options.body);
    if (streamed?.ok === false) return streamed;
    const timeoutMs = options.timeout === undefined ? defaultMs : durationMs(options.timeout);
    return sendCall({ plan, encoded: encoded.value, streamed: streamed?.value, settings, options, timeoutMs, read });
  };
  // What throws here is a mistake of this program: a duration that is none, a getter or refinement that throws.
  return (input = {}, options = {}) =>
    call(input, options).catch((thrown: unknown) => {
      const issue = { pointer: "", code: "call", message: bounded(reasonOf(thrown)) };
      return new Err(InvalidInput({ issues: [issue] }));
    });
}
