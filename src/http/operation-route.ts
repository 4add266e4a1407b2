/**
 * One operation over HTTP, wire to wire:
 *
 *   accept -> admit (who is calling) -> body -> decode -> bound call -> encode -> response
 *
 * Every step answers at once when it can, so that a request whose handler is synchronous makes no promise.
 */
import {
  Internal,
  NotAcceptable,
  UnsupportedMediaType,
  frameworkFaults,
  httpFaults,
  httpPlan,
  invalidInput,
  type BoundApp,
  type BoundOperation,
  type HttpPlan,
  type Principal,
} from "../contract/index.ts";
import { isPromiseLike, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import { Invalid } from "../schema/index.ts";
import { operationCodec, type OperationCodec } from "./codec.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { FormatCall, OperationFormats, type LoadedFormat } from "./formats.ts";
import { HttpCall } from "./http-call.ts";
import { acceptsJson, isJson } from "./media.ts";
import { uploadReader, type MultipartReader, type UploadReader } from "./uploads/upload.ts";
import type { ProblemWriter, ProblemWriters } from "./problem.ts";

export interface RouteServices {
  readonly app: BoundApp;
  readonly problems: ProblemWriters;
  readonly newRequestId: () => string;
  /** For operations that do not set their own. */
  readonly maxBodyBytes: number;
  /** Beside JSON. */
  readonly formats: readonly LoadedFormat[];
  /** Where some operation takes multipart forms. */
  readonly multipart: MultipartReader | undefined;
}

const noBytes = new Uint8Array(0);
const jsonHeaders = new HeaderBlock([
  "content-type",
  "application/json",
  "cache-control",
  "no-store",
  "x-content-type-options",
  "nosniff",
]);
const negotiatedJsonHeaders = jsonHeaders.with("vary", "accept");
const emptyHeaders = new HeaderBlock(["cache-control", "no-store"]);

type Answer = MaybePromise<HttpResponse>;

interface Compiled {
  readonly codec: OperationCodec;
  readonly problems: ReadonlyMap<string, ProblemWriter>;
}

export class OperationRoute {
  readonly plan: HttpPlan;
  readonly operation: string;
  readonly template: string;
  readonly #bound: BoundOperation;
  readonly #services: RouteServices;
  readonly #maxBodyBytes: number;
  /** Undefined where JSON is all that is spoken. */
  readonly #formats: OperationFormats | undefined;
  readonly #upload: UploadReader | undefined;
  #compiled: Compiled | undefined;

  constructor(bound: BoundOperation, services: RouteServices) {
    const { operation } = bound;
    this.plan = httpPlan(operation);
    this.operation = operation.name;
    this.template = this.plan.path;
    this.#bound = bound;
    this.#services = services;
    this.#maxBodyBytes = operation.options.maxBodyBytes ?? services.maxBodyBytes;
    const { formats, multipart } = services;
    const { upload } = this.plan;
    if (upload !== undefined) this.#upload = uploadReader(upload, multipart);
    if (formats.length > 0) this.#formats = new OperationFormats(this.plan, formats, this.#maxBodyBytes);
  }

  /** Builds the codecs, if they are not there yet. The plan stands since the start, so no mistake of the contract is found here. */
  compile(): Compiled {
    if (this.#compiled === undefined) {
      const { app, problems } = this.#services;
      const faults = [...httpFaults, ...frameworkFaults, ...app.contract.faults, ...this.plan.operation.faults];
      this.#compiled = { codec: operationCodec(this.plan, this.#maxBodyBytes), problems: problems.of(faults) };
    }
    return this.#compiled;
  }

  handle(request: HttpRequest, captures: readonly string[], query: string): Answer {
    const { newRequestId } = this.#services;
    const call =
      this.#formats === undefined ? new HttpCall(request, newRequestId) : this.#formats.callOf(request, newRequestId);
    if (call === undefined || (this.#formats === undefined && !acceptsJson(request.header("accept"))))
      return this.#notAcceptable(new HttpCall(request, newRequestId));
    const admitted = this.#bound.admit(call);
    if (isPromiseLike(admitted)) return admitted.then((settled) => this.#admitted(call, captures, query, settled));
    return this.#admitted(call, captures, query, admitted);
  }

  #admitted(
    call: HttpCall,
    captures: readonly string[],
    query: string,
    admitted: Result<Principal | undefined, Fault>,
  ): Answer {
    if (!admitted.ok) return this.#fail(call, admitted.fault);
    const auth = admitted.value;
    if (this.plan.body === "none") return this.#decode(call, auth, captures, query, noBytes);
    if (this.#upload !== undefined) return this.#uploaded(this.#upload, call, auth, captures, query);
    const { request } = call;
    const type = request.header("content-type");
    if (
      (type !== undefined && !isJson(type) && formatOf(call)?.decode === undefined) ||
      !isIdentity(request.header("content-encoding"))
    ) {
      return this.#unsupported(call);
    }
    const body = request.body(this.#maxBodyBytes);
    if (isPromiseLike(body)) return body.then((settled) => this.#received(call, auth, captures, query, settled, type));
    return this.#received(call, auth, captures, query, body, type);
  }

  /** What travels in path, query and headers is looked at first: nobody shall send gigabytes for a typing error. */
  async #uploaded(
    upload: UploadReader,
    call: HttpCall,
    auth: Principal | undefined,
    captures: readonly string[],
    query: string,
  ): Promise<HttpResponse> {
    const { request } = call;
    if (!upload.accepts(request.header("content-type")) || !isIdentity(request.header("content-encoding")))
      return this.#unsupported(call);
    const decoding = async (): Promise<Result<unknown, Invalid>> =>
      this.compile().codec.decode(request, captures, query, noBytes);
    const input = await this.#bound.inTime("input", decoding());
    if (!input.ok) return this.#call(call, auth, input);
    const opened = await upload.open(request);
    if (!opened.ok) return this.#fail(call, opened.fault);
    call.body = opened.value.body;
    try {
      return await this.#call(call, auth, input);
    } finally {
      await opened.value.close();
    }
  }

  #received(
    call: HttpCall,
    auth: Principal | undefined,
    captures: readonly string[],
    query: string,
    body: Result<Uint8Array, Fault>,
    type: string | undefined,
  ): Answer {
    if (!body.ok) return this.#fail(call, body.fault);
    if (type === undefined && body.value.length > 0) return this.#unsupported(call);
    return this.#decode(call, auth, captures, query, body.value);
  }

  #decode(
    call: HttpCall,
    auth: Principal | undefined,
    captures: readonly string[],
    query: string,
    body: Uint8Array,
  ): Answer {
    let input: MaybePromise<Result<unknown, Invalid>>;
    try {
      const decode = (this.#formats === undefined ? undefined : formatOf(call)?.decode) ?? this.compile().codec.decode;
      input = decode(call.request, captures, query, body);
    } catch (thrown) {
      // A predicate or another library's schema that throws.
      return this.#defect(call, thrown);
    }
    if (!isPromiseLike(input)) return this.#call(call, auth, input);
    return this.#bound.inTime("input", input).then((settled) => this.#call(call, auth, settled));
  }

  #call(call: HttpCall, auth: Principal | undefined, input: Result<unknown, Invalid | Fault>): Answer {
    if (!input.ok) return this.#fail(call, input.fault instanceof Invalid ? invalidInput(input.fault) : input.fault);
    const result = this.#bound.call(call, auth, input.value);
    if (isPromiseLike(result)) return result.then((settled) => this.#encode(call, settled));
    return this.#encode(call, result);
  }

  #encode(call: HttpCall, result: Result<unknown, Fault>): HttpResponse {
    if (!result.ok) return this.#fail(call, result.fault);
    const answer = this.#formats === undefined ? undefined : formatOf(call)?.answer;
    let body: Result<string | Uint8Array | null, Invalid>;
    try {
      body = answer === undefined ? this.compile().codec.encode(result.value) : answer.write(result.value);
    } catch (thrown) {
      // A getter of the output, or another library's schema, that throws.
      return this.#defect(call, thrown);
    }
    if (!body.ok) {
      const text = `"${this.plan.operation.name}" returned an output that does not fit its schema: ${body.fault.message}`;
      return this.#defect(call, new TypeError(text));
    }
    const base = body.value === null ? emptyHeaders : (answer?.headers ?? this.#jsonHeaders);
    const id = call.usedRequestId;
    const response: HttpResponse = {
      status: this.plan.status,
      headers: id === undefined ? base : base.with("x-request-id", id),
      body: body.value,
    };
    const reply = call.usedReply;
    return reply === undefined ? response : reply.dress(response, false);
  }

  get #jsonHeaders(): HeaderBlock {
    return this.#formats === undefined ? jsonHeaders : negotiatedJsonHeaders;
  }

  #notAcceptable(call: HttpCall): HttpResponse {
    const response = this.#fail(call, NotAcceptable());
    return this.#formats === undefined ? response : { ...response, headers: response.headers.with("vary", "accept") };
  }

  /** RFC 9110 section 15.5.16: what could be sent instead stands in Accept, and in the field of its own that the method has. */
  #unsupported(call: HttpCall): HttpResponse {
    const types = this.#upload?.types ?? this.#formats?.bodyTypes ?? ["application/json"];
    const list = types.join(", ");
    const fault = UnsupportedMediaType({}, `Send the body as ${types.join(" or ")}, without a content-encoding.`);
    const response = this.#fail(call, fault);
    const { method } = this.plan;
    const own = method === "POST" ? ["accept-post", list] : method === "PATCH" ? ["accept-patch", list] : [];
    return { ...response, headers: response.headers.with("accept", list, ...own) };
  }

  #defect(call: HttpCall, thrown: unknown): HttpResponse {
    return this.#fail(call, this.#services.app.defect(this.plan.operation.name, thrown));
  }

  #fail(call: HttpCall, fault: Fault): HttpResponse {
    const response = writeProblem(
      this.#services,
      this.compile().problems.get(fault.code),
      this.plan.operation.name,
      call.requestId,
      fault,
    );
    const reply = call.usedReply;
    return reply === undefined ? response : reply.dress(response, true);
  }
}

/** The fault's problem, or, when it cannot be written, that of the incident which this is. */
export function writeProblem(
  services: RouteServices,
  writer: ProblemWriter | undefined,
  where: string,
  requestId: string,
  fault: Fault,
): HttpResponse {
  const response = writer?.write(fault, requestId);
  if (response !== undefined) return response;
  const error = new TypeError(
    writer === undefined
      ? `"${where}" ended with the fault ${fault.code}, which it does not declare. Add it to faults: […].`
      : `The data of the fault ${fault.code} of "${where}" does not fit its schema.`,
  );
  const incident = services.problems.one(Internal).write(services.app.defect(where, error), requestId);
  if (incident === undefined)
    throw new TypeError("The incident id is not a string: newId() of the runtime must return one.");
  return incident;
}

function formatOf(call: HttpCall): FormatCall | undefined {
  return call instanceof FormatCall ? call : undefined;
}

function isIdentity(encoding: string | undefined): boolean {
  return encoding === undefined || encoding.toLowerCase() === "identity";
}
