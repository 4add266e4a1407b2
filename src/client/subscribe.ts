/** The client's side of one subscription of a contract. */
import {
  InvalidInput,
  exponential,
  httpPlan,
  resultStream,
  streamFailed,
  streamFaults,
  type Contract,
  type HttpPlan,
  type Operation,
  type ResultSource,
  type ResultStream,
} from "../contract/index.ts";
import { durationMs, type Duration, type Fault } from "../core/index.ts";
import { compile, ignoreUnknownFields } from "../schema/index.ts";
import type { SubscribeOptions } from "./client-options.ts";
import { requestEncoder, type RequestEncoder } from "./encode-request.ts";
import { problemReaders, type ProblemReaders } from "./read-response.ts";
import { reasonOf, type ClientSettings } from "./send-call.ts";
import { socketLinks } from "./socket-link.ts";
import { sseLinks } from "./sse-link.ts";
import { StreamSource, type StreamSourceParts } from "./stream-source.ts";
import { bounded } from "./transport-faults.ts";
import type { WebSocketConstructor } from "./web-socket-like.ts";

type Subscribe = (input?: unknown, options?: SubscribeOptions) => ResultStream<unknown, Fault>;

interface Compiled {
  readonly encode: RequestEncoder;
  readonly decode: StreamSourceParts["decode"];
  readonly problems: ProblemReaders;
}

const mostAttempts = 1_000;
const byDefault = { attempts: 10, backoff: exponential({ first: "500ms", max: "30s", jitter: 0.5 }) };

/** Codecs are compiled when the subscription is first opened. */
export function subscribeCall(operation: Operation, contract: Contract, settings: ClientSettings): Subscribe {
  const plan = httpPlan(operation);
  const { maxResponseBytes: maxBytes = 8 * 1024 * 1024 } = settings.options;
  let compiled: Compiled | undefined;
  const compileAll = (): Compiled => {
    const output = compile(ignoreUnknownFields(plan.output), { limits: { maxTextLength: maxBytes } });
    const faults = [...streamFaults, ...contract.faults, ...operation.faults];
    return { encode: requestEncoder(plan), decode: (json) => output.parseJson(json), problems: problemReaders(faults) };
  };
  const open = (input: unknown, options: SubscribeOptions): ResultSource<unknown, Fault> => {
    const { encode, decode, problems } = (compiled ??= compileAll());
    const encoded = encode(input);
    if (!encoded.ok) return failing(encoded.fault);
    const timeoutMs = options.timeout === undefined ? settings.timeoutMs : durationMs(options.timeout);
    const idleMs = durationMs(options.idleTimeout ?? idleByDefault);
    const call = { plan, encoded: encoded.value, settings, options, problems, maxBytes, timeoutMs, idleMs };
    const { attempts, backoff = byDefault.backoff } = reconnectOf(operation, options);
    const { clock } = settings;
    const { signal, lastEventId } = options;
    const webSocket = webSocketOf(plan, settings);
    return new StreamSource({
      open: webSocket === undefined ? sseLinks(call) : socketLinks({ ...call, webSocket }),
      decode,
      problems,
      clock,
      signal,
      lastEventId,
      attempts,
      backoff,
    });
  };
  return (input = {}, options = {}) =>
    resultStream(() => {
      // What throws here is a mistake of this program: a duration that is none, a getter or refinement that throws.
      try {
        return open(input, options);
      } catch (thrown) {
        const issue = { pointer: "", code: "call", message: bounded(reasonOf(thrown)) };
        return failing(InvalidInput({ issues: [issue] }));
      }
    }, options.lastEventId);
}

/** Undefined: Server-Sent Events. */
function webSocketOf({ operation, texts }: HttpPlan, { options }: ClientSettings): WebSocketConstructor | undefined {
  const { webSocket = false } = options;
  if (webSocket === false) return undefined;
  if (texts.some(({ place }) => place === "header"))
    throw new TypeError(`"${operation.name}" has input in header fields, which a WebSocket cannot send.`);
  if (webSocket !== true) return webSocket;
  const { WebSocket: platform } = globalThis as { readonly WebSocket?: WebSocketConstructor };
  if (platform === undefined)
    throw new TypeError(
      "This platform has no WebSocket. Pass a constructor: { webSocket: WebSocket } of the package ws.",
    );
  return platform;
}

const idleByDefault: Duration = "45s";

function reconnectOf(
  operation: Operation,
  { reconnect }: SubscribeOptions,
): NonNullable<SubscribeOptions["reconnect"]> {
  if (reconnect === undefined) return operation.options.resume === true ? byDefault : { attempts: 0 };
  const { attempts } = reconnect;
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > mostAttempts)
    throw new TypeError(`reconnect.attempts is 0 to ${mostAttempts}, not ${attempts}.`);
  return reconnect;
}

function failing(fault: Fault): ResultSource<unknown, Fault> {
  return { next: () => Promise.resolve(streamFailed(fault)), close: () => undefined };
}
