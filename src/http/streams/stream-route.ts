/**
 * One subscription over HTTP:
 *
 *   accept -> admit (who is calling) -> body, if it has one -> decode -> open -> wait a moment for the first item -> stream
 *
 * What fails until then is a problem with its own status, as of every operation; what fails later is the last event of the stream.
 */
import {
  NotAcceptable,
  StreamMoved,
  PermissionDenied,
  UnsupportedMediaType,
  frameworkFaults,
  httpFaults,
  httpPlan,
  invalidInput,
  streamFaults,
  type BoundOperation,
  type HttpPlan,
  type ItemStream,
  type OpenStream,
  type Principal,
  type StreamIncoming,
} from "../../contract/index.ts";
import { Err, Fault, Ok, systemRandom, type MaybePromise, type Result, type Timeouts } from "../../core/index.ts";
import type { HeaderBlock, HttpRequest, HttpResponse } from "../../exchange/index.ts";
import { Invalid, compileReader, type Codec } from "../../schema/index.ts";
import { operationCodec, type OperationCodec } from "../codec.ts";
import type { HttpCall } from "../http-call.ts";
import { isJson } from "../media.ts";
import { SocketCall } from "./socket-call.ts";
import type { SocketFace, SocketRoute } from "./load-web-socket.ts";
import { writeProblem, type RouteServices } from "../operation-route.ts";
import type { ProblemWriter } from "../problem.ts";
import { streamMedia, takesProblems } from "./accept.ts";
import { EncodedStream, type EncodedStep } from "./encoded-stream.ts";
import { takeLastEventId } from "./last-event-id.ts";
import { StreamBody } from "./stream-body.ts";
import { StreamCall } from "./stream-call.ts";
import { endId, ndjson, sse, type StreamFormat } from "./stream-media.ts";

interface Compiled {
  readonly codec: OperationCodec;
  readonly problems: ReadonlyMap<string, ProblemWriter>;
}

const noBytes = new Uint8Array(0);

export class StreamRoute implements SocketRoute {
  readonly plan: HttpPlan;
  readonly operation: string;
  readonly template: string;
  readonly #bound: BoundOperation;
  readonly #open: OpenStream;
  readonly #services: RouteServices;
  readonly #heartbeats: Timeouts;
  /** Undefined where WebSocket is off: an Upgrade is then ignored, as RFC 9110 section 7.8 allows. */
  readonly #sockets: SocketFace | undefined;
  #compiled: Compiled | undefined;
  #wireInput: Pick<Codec<never, unknown>, "parse"> | undefined;

  /** `heartbeats`: one list for the streams of all routes. */
  constructor(
    bound: BoundOperation,
    open: OpenStream,
    services: RouteServices,
    heartbeats: Timeouts,
    sockets: SocketFace | undefined,
  ) {
    this.plan = httpPlan(bound.operation);
    this.operation = bound.operation.name;
    this.template = this.plan.path;
    this.#bound = bound;
    this.#open = open;
    this.#services = services;
    this.#heartbeats = heartbeats;
    this.#sockets = sockets;
    sockets?.addRoute(this);
  }

  get #maxBodyBytes(): number {
    return this.plan.operation.options.maxBodyBytes ?? this.#services.maxBodyBytes;
  }

  compile(): Compiled {
    if (this.#compiled === undefined) {
      const { app, problems } = this.#services;
      const { faults } = this.plan.operation;
      const all = [...httpFaults, ...frameworkFaults, ...streamFaults, ...app.contract.faults, ...faults];
      this.#compiled = { codec: operationCodec(this.plan, this.#maxBodyBytes), problems: problems.of(all) };
    }
    return this.#compiled;
  }

  async handle(request: HttpRequest, captures: readonly string[], query: string): Promise<HttpResponse> {
    if (this.#sockets !== undefined && request.canUpgrade === true && isWebSocket(request))
      return this.#upgrade(this.#sockets, request, captures, query);
    // The stream that this client comes back to has ended for good: 204 is how EventSource is told to stop.
    if (request.header("last-event-id") === endId) return { status: 204, headers: sse.headers, body: null };
    const call = new StreamCall(request, this.#services.newRequestId);
    const media = streamMedia(request.header("accept"));
    if (media === undefined) return this.#problem(NotAcceptable({}, notAcceptable), call.requestId);
    const format = media === "sse" ? sse : ndjson;
    const answer = await this.#answer(call, format, captures, query);
    return answer instanceof Fault ? this.#fail(call, answer, format) : answer;
  }

  async #answer(
    call: StreamCall,
    format: StreamFormat,
    captures: readonly string[],
    query: string,
  ): Promise<HttpResponse | Fault> {
    const { request } = call;
    const admitted = await this.#bound.admit(call);
    if (!admitted.ok) return admitted.fault;
    if (request.method === "HEAD") return { status: 200, headers: format.headers, body: null };
    const { rest, lastEventId } = takeLastEventId(query, request.header("last-event-id"));
    call.lastEventId = lastEventId;
    const input = await this.decode(call, captures, rest);
    if (!input.ok) return input.fault;
    const opened = await this.open(call, admitted.value, input.value);
    return opened.ok ? this.#stream(call, opened.value, format) : opened.fault;
  }

  async #upgrade(
    sockets: SocketFace,
    request: HttpRequest,
    captures: readonly string[],
    query: string,
  ): Promise<HttpResponse> {
    const call = new SocketCall(request, this.#services.newRequestId);
    if (!sockets.isAllowed(request)) return this.#problem(PermissionDenied({}, foreignOrigin), call.requestId);
    const admitted = await this.#bound.admit(call);
    if (!admitted.ok) return dressed(call, this.#problem(admitted.fault, call.requestId), true);
    const answer = sockets.answer({ route: this, call, auth: admitted.value, captures, query });
    return dressed(call, answer, false);
  }

  admitAs(auth: Principal | undefined, call: SocketCall): MaybePromise<Result<Principal | undefined, Fault>> {
    return this.#bound.admitAs(auth, call);
  }

  decodeWire(wire: unknown): Promise<Result<unknown, Fault>> {
    return this.#decoded(() => (this.#wireInput ??= compileReader(this.plan.input)).parse(wire));
  }

  /** The input, from the places where it travels. */
  async decode(call: StreamCall, captures: readonly string[], query: string): Promise<Result<unknown, Fault>> {
    const body = await this.#readBody(call.request);
    if (!body.ok) return body;
    return this.#decoded(() => this.compile().codec.decode(call.request, captures, query, body.value));
  }

  /** Never rejects. */
  async open(
    incoming: StreamIncoming,
    auth: Principal | undefined,
    input: unknown,
  ): Promise<Result<EncodedStream, Fault>> {
    const opened: Result<ItemStream, Fault> = await this.#open(incoming, auth, input);
    if (!opened.ok) return opened;
    const { itemBytes } = this.#services.app.streams.limits;
    return new Ok(new EncodedStream(opened.value, this.compile().codec, this.operation, itemBytes));
  }

  async #readBody(request: HttpRequest): Promise<Result<Uint8Array, Fault>> {
    if (this.plan.body === "none") return new Ok(noBytes);
    const type = request.header("content-type");
    const coding = request.header("content-encoding")?.toLowerCase() ?? "identity";
    if ((type !== undefined && !isJson(type)) || coding !== "identity") return new Err(UnsupportedMediaType());
    const body = await request.body(this.#maxBodyBytes);
    return body.ok && type === undefined && body.value.length > 0 ? new Err(UnsupportedMediaType()) : body;
  }

  async #decoded(decode: () => MaybePromise<Result<unknown, Invalid>>): Promise<Result<unknown, Fault>> {
    const work = Promise.resolve().then(decode);
    const input: Result<unknown, Invalid | Fault> = await this.#bound.inTime("input", work);
    if (input.ok) return input;
    return new Err(input.fault instanceof Invalid ? invalidInput(input.fault) : input.fault);
  }

  async #stream(call: StreamCall, stream: EncodedStream, format: StreamFormat): Promise<HttpResponse | Fault> {
    const { app } = this.#services;
    const first = stream.next();
    const soon = await within(app.clock, app.streams.limits.openMs, first);
    if (soon?.type === "fault") return soon.fault;
    if (soon?.type === "moved") return StreamMoved();
    const body = new StreamBody({
      stream,
      format,
      first,
      start: format.start(this.#retryMs()),
      clock: app.clock,
      heartbeats: this.#heartbeats,
      problem: (step) => this.lastWords(step.type === "fault" ? step.fault : StreamMoved(), call.requestId),
    });
    return dressed(call, { status: 200, headers: headersOf(call, format), body }, false);
  }

  /** A failure before the stream: a problem, or, where only a stream would be understood, a stream of nothing else. */
  #fail(call: StreamCall, fault: Fault, format: StreamFormat): HttpResponse {
    if (format === ndjson || !fault.retryable || takesProblems(call.header("accept")))
      return dressed(call, this.#problem(fault, call.requestId), true);
    const { json, retryMs = this.#retryMs() } = this.lastWords(fault, call.requestId);
    // In a drain the stream has not failed: it goes on at another process.
    const body = isMove(fault) ? format.start(retryMs) : format.fault(json, retryMs);
    const answer = {
      status: 200,
      headers: headersOf(call, format),
      body,
      fault: fault.code,
    };
    return dressed(call, answer, true);
  }

  lastWords(fault: Fault, requestId: string): { readonly json: string; readonly retryMs: number | undefined } {
    const problem = this.#problem(fault, requestId);
    const json = problem.body as string;
    if (!fault.retryable) return { json, retryMs: undefined };
    const { pairs } = problem.headers;
    const at = pairs.indexOf("retry-after");
    return { json, retryMs: Math.max(this.#retryMs(), at === -1 ? 0 : Number(pairs[at + 1]) * 1000) };
  }

  #retryMs(): number {
    return Math.ceil(this.#services.app.streams.limits.retryMs * (0.5 + systemRandom.next()));
  }

  #problem(fault: Fault, requestId: string): HttpResponse {
    return writeProblem(this.#services, this.compile().problems.get(fault.code), this.operation, requestId, fault);
  }
}

function isMove({ code }: Fault): boolean {
  return code === "SHUTTING_DOWN" || code === "STREAM_MOVED";
}

/** With the header fields that handler and middleware have set, but not their status: a stream has 200 or it is none. */
function dressed(call: HttpCall, response: HttpResponse, failed: boolean): HttpResponse {
  const reply = call.usedReply;
  return reply === undefined ? response : { ...reply.dress(response, failed), status: response.status };
}

function headersOf(call: HttpCall, { headers }: StreamFormat): HeaderBlock {
  const id = call.usedRequestId;
  return id === undefined ? headers : headers.with("x-request-id", id);
}

function isWebSocket(request: HttpRequest): boolean {
  return request.header("upgrade")?.toLowerCase() === "websocket";
}

const foreignOrigin = "Pages of this origin may not open a WebSocket here.";
const notAcceptable =
  "A subscription answers text/event-stream and application/x-ndjson; the Accept header refuses both.";

/** The step, or undefined when it takes longer than `ms`. */
async function within(
  clock: RouteServices["app"]["clock"],
  ms: number,
  first: Promise<EncodedStep>,
): Promise<EncodedStep | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.setTimer(ms, () => resolve(undefined));
  const soon = await Promise.race([first, late]);
  timer.cancel();
  return soon;
}
