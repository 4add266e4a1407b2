/**
 * A response to a Result. Whatever does not look as the contract says is UNEXPECTED_RESPONSE: a client meets proxies, captive
 * portals and other versions of its server.
 */
import { frameworkFaults, type AnyFaultType, type HttpPlan } from "../contract/index.ts";
import { Err, Fault, joinBytes, ok, type MaybePromise, type Result } from "../core/index.ts";
import { compile, compileBinary, ignoreUnknownFields, type Codec, type Invalid } from "../schema/index.ts";
import type { ClientFormat } from "./encode-request.ts";
import { UnexpectedResponse, bounded } from "./transport-faults.ts";

export type ResponseReader = (response: Response) => Promise<Result<unknown, Fault>>;

/** `faults`: what the operation and its contract declare. */
export function responseReader(
  plan: HttpPlan,
  faults: readonly AnyFaultType[],
  maxBytes: number,
  format?: ClientFormat,
): ResponseReader {
  const output =
    plan.output.kind === "nothing"
      ? undefined
      : compile(ignoreUnknownFields(plan.output), { limits: { maxTextLength: maxBytes } });
  const inFormat = format === undefined || output === undefined ? undefined : formatReader(plan, format);
  const problems = problemReaders(faults);
  return async (response) => {
    const bytes = await readBounded(response, maxBytes);
    if (bytes === undefined) return unexpected(response, `the body is larger than ${maxBytes} bytes`);
    if (!response.ok) return readProblem(response, bytes, problems);
    if (output === undefined) return ok();
    if (inFormat !== undefined && format?.types.some((type) => isMedia(response, type)) === true) {
      const value = await inFormat(bytes);
      return value.ok ? value : unexpected(response, `the body does not fit the contract: ${value.fault.message}`);
    }
    if (!isMedia(response, "application/json"))
      return unexpected(response, `it is ${mediaOf(response)}, not application/json`);
    const value = await output.parseJson(bytes);
    return value.ok ? value : unexpected(response, `the body does not fit the contract: ${value.fault.message}`);
  };
}

function formatReader(
  plan: HttpPlan,
  { library }: ClientFormat,
): (bytes: Uint8Array) => MaybePromise<Result<unknown, Invalid>> {
  const output = compileBinary(ignoreUnknownFields(plan.output));
  return (bytes) => {
    const wire = library.decode(bytes);
    return wire.ok ? output.parse(wire.value) : wire;
  };
}

/** Of the framework's own faults and these, by code. */
export function problemReaders(faults: readonly AnyFaultType[]): ProblemReaders {
  return new Map([...frameworkFaults, ...faults].map((type) => [type.code, problemReader(type)]));
}

export type ProblemReaders = ReadonlyMap<string, ProblemReader>;
type ProblemReader = (data: unknown, detail: string) => Promise<Fault | undefined>;

function problemReader({ code, kind, schema }: AnyFaultType): ProblemReader {
  let codec: Codec<never, unknown> | undefined;
  return async (data, detail) => {
    codec ??= compile(ignoreUnknownFields(schema));
    const read = await codec.parse(data ?? {});
    return read.ok ? new Fault(code, kind, read.value, detail) : undefined;
  };
}

/** A response that is no success, as its fault. */
export async function readFailure(response: Response, problems: ProblemReaders, maxBytes: number): Promise<Err<Fault>> {
  const bytes = await readBounded(response, maxBytes);
  if (bytes === undefined) return unexpected(response, `the body is larger than ${maxBytes} bytes`);
  return readProblem(response, bytes, problems);
}

async function readProblem(response: Response, bytes: Uint8Array, problems: ProblemReaders): Promise<Err<Fault>> {
  if (!isMedia(response, "application/problem+json"))
    return unexpected(response, `it is ${mediaOf(response)}, not application/problem+json`);
  return readProblemText(response, new TextDecoder().decode(bytes), problems);
}

/** The fault that a problem document is; UNEXPECTED_RESPONSE for what is none of the contract's. `status`: of the answer that it came in. */
export async function readProblemText(
  response: { readonly status: number },
  text: string,
  problems: ProblemReaders,
): Promise<Err<Fault>> {
  let problem: unknown;
  try {
    problem = JSON.parse(text);
  } catch {
    return unexpected(response, "the problem is not JSON");
  }
  if (typeof problem !== "object" || problem === null || !("code" in problem) || typeof problem.code !== "string") {
    return unexpected(response, "the problem has no code");
  }
  const code = bounded(problem.code);
  const detail = "detail" in problem && typeof problem.detail === "string" ? bounded(problem.detail) : code;
  const read = problems.get(problem.code);
  if (read === undefined) return unexpected(response, `${code}: ${detail}`, code);
  const fault = await read("data" in problem ? problem.data : undefined, detail);
  return fault === undefined
    ? unexpected(response, `the data of ${code} does not fit the contract`, code)
    : new Err(fault);
}

/** Undefined when there is more than `maxBytes`; the rest is not read. */
async function readBounded({ body }: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
    if (length > maxBytes) {
      void reader.cancel().catch(() => undefined);
      return undefined;
    }
    chunks.push(next.value);
  }
  return joinBytes(chunks, length);
}

export function mediaOf(response: Response): string {
  return bounded(response.headers.get("content-type") ?? "without a content-type");
}

export function isMedia(response: Response, type: string): boolean {
  return (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() === type;
}

export function unexpected({ status }: { readonly status: number }, reason: string, code?: string): Err<Fault> {
  return new Err(UnexpectedResponse({ status, reason: bounded(reason), ...(code === undefined ? {} : { code }) }));
}
