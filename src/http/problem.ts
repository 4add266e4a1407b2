/**
 * Failures as RFC 9457 documents. Status and title come from the kind table, code and data from the declared fault, and nothing
 * else: what a fault does not declare cannot leave the process.
 */
import { defaultChallenges, type AnyFaultType } from "../contract/index.ts";
import { kinds, type Fault, type Kind } from "../core/index.ts";
import { compileWriter, type Codec } from "../schema/index.ts";
import { HeaderBlock, type HttpResponse } from "../exchange/index.ts";

/** Where a problem's `type` points: `/problems/CITY_NOT_FOUND`, a stable reference relative to the API's origin. */
export const problemPath = "/problems/";

const baseHeaders = new HeaderBlock([
  "content-type",
  "application/problem+json",
  "cache-control",
  "no-store",
  "x-content-type-options",
  "nosniff",
]);
/** Writes the faults of one declaration. `challenges`: what a 401 names, one at least (RFC 9110 section 11.6.1). */
export class ProblemWriter {
  readonly #status: number;
  /** Everything up to the value of `detail`. */
  readonly #start: string;
  readonly #headers: HeaderBlock;
  readonly #codec: Pick<Codec<never, unknown>, "serialize"> | undefined;
  readonly #retryable: boolean;

  constructor({ code, kind, schema }: AnyFaultType, challenges: readonly string[] = defaultChallenges) {
    const { http: status, title } = kinds[kind];
    this.#status = status;
    this.#start = JSON.stringify({ type: problemPath + code, title, status, code }).slice(0, -1) + ',"detail":';
    this.#headers = status === 401 ? baseHeaders.with("www-authenticate", challenges.join(", ")) : baseHeaders;
    this.#codec = schema.fields.length === 0 ? undefined : compileWriter(schema);
    this.#retryable = isRetryKind(kind);
  }

  /** Undefined when the fault's data does not fit its schema: a mistake in the program. `requestId` goes into the headers. */
  write(fault: Fault, requestId: string | undefined): HttpResponse | undefined {
    let body = this.#start + JSON.stringify(fault.message);
    if (this.#codec !== undefined) {
      // The data of a fault is typed by its declaration, which is this codec's.
      const data = this.#codec.serialize(fault.data as never);
      if (!data.ok) return undefined;
      body += `,"data":${data.value}`;
    }
    let headers = this.#headers;
    const seconds = retryAfterSeconds(fault, this.#retryable);
    if (seconds !== undefined) headers = headers.with("retry-after", String(seconds));
    if (requestId !== undefined) headers = headers.with("x-request-id", requestId);
    return { status: this.#status, headers, body: `${body}}`, fault: fault.code };
  }
}

function isRetryKind(kind: Kind): boolean {
  return kind === "unavailable" || kind === "resource_exhausted";
}

/** A fault says when to come back in `retryAfter` or `retryAfterMs`, both in milliseconds; else a second for what passes by itself. */
function retryAfterSeconds({ data }: Fault, byDefault: boolean): number | undefined {
  if (typeof data === "object" && data !== null) {
    const ms = "retryAfterMs" in data ? data.retryAfterMs : "retryAfter" in data ? data.retryAfter : undefined;
    if (typeof ms === "number" && ms >= 0 && ms < 1e15) return Math.ceil(ms / 1000);
  }
  return byDefault ? 1 : undefined;
}

/** The writers of several declarations by code; those of a shared declaration are made once. */
export class ProblemWriters {
  readonly #made = new Map<AnyFaultType, ProblemWriter>();
  readonly #challenges: readonly string[];

  constructor(challenges: readonly string[]) {
    this.#challenges = challenges;
  }

  of(types: readonly AnyFaultType[]): ReadonlyMap<string, ProblemWriter> {
    return new Map(types.map((type) => [type.code, this.one(type)]));
  }

  one(type: AnyFaultType): ProblemWriter {
    let writer = this.#made.get(type);
    if (writer === undefined) this.#made.set(type, (writer = new ProblemWriter(type, this.#challenges)));
    return writer;
  }
}
