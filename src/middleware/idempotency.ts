/**
 * `Idempotency-Key` for mutations (draft-ietf-httpapi-idempotency-key-header-07): a call that is repeated with its key is carried
 * out once, and every repetition gets the first answer. It works where the handler is called, so for every protocol.
 *
 *   (nothing) --first call--> running --handler ended--> done --ttl--> (nothing)
 *                             running --retryable fault, defect--> (nothing)
 *                             running --lease over: the process died--> (nothing)
 *
 * What it cannot do by itself: between the handler's own commit and the store of its answer the process may die. The next call
 * after the lease then runs the handler again. So: at least once over a crash, once otherwise. `docs/auth.md` says how to close the gap.
 */
import { Unavailable, middleware, type Middleware, type MiddlewareCall, type Operation } from "../contract/index.ts";
import { durationMs, err, kinds, ok, type Duration, type Fault, type Result } from "../core/index.ts";
import type { KvStore, KvWrite } from "../kv/index.ts";
import { Answers } from "./idempotency-answer.ts";
import {
  IdempotencyAnswerLost,
  IdempotencyInProgress,
  IdempotencyKeyInvalid,
  IdempotencyKeyReused,
  idempotencyFaults,
} from "./idempotency-faults.ts";
import { equalSecrets, sha256 } from "./secret.ts";

export interface IdempotencyOptions {
  /** Where answers are kept: `sqliteKv(store)`, since a memory forgets them with its process. */
  readonly store: KvStore;
  /** How long an answer is kept. Default 24 h. */
  readonly ttl?: Duration;
  /** Refuses mutations without a key. Default false. */
  readonly required?: boolean | ((operation: Operation) => boolean);
  /**
   * How long a call that never ended keeps its key: until then a repetition is refused, after it the handler runs again. Default:
   * the operation's `timeout` and 30 s more. A handler that goes on after its timeout should be given more.
   */
  readonly lease?: Duration;
  /** Whose keys are apart from whose. Default: the caller's subject; all callers who are not signed in share one space. */
  readonly scope?: (call: MiddlewareCall) => string;
}

/** What a handler gets as `idempotency` when its call carries a key. */
export interface IdempotentCall {
  readonly key: string;
  /**
   * The answer as a record for the transaction that does the work: `tx.keep(idempotency.finish(output))`. When the lease was lost
   * meanwhile, the transaction is refused, so that work and answer are kept once, or not at all. Set reply fields before it.
   *
   * @throws TypeError for an output that cannot be kept: one that does not fit, or is too large for the store.
   */
  finish(output: unknown): KvWrite;
}

type AnyResult = Result<unknown, Fault>;

interface Running {
  readonly state: "running";
  readonly print: string;
}
interface Done {
  readonly state: "done";
  readonly print: string;
  /** Undefined: it could not be kept. */
  readonly answer?: string;
}

interface Lease {
  readonly key: string;
  readonly record: string;
  readonly version: number;
  readonly print: string;
}

/** A key as a structured field string (RFC 9651), as the draft has it, or bare, as most clients send it. */
const keyPattern = /^(?:"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,255}))$/;

/**
 * Carries out a mutation once for each `Idempotency-Key`. A repetition gets the first answer, with `Idempotency-Replayed: true`; while
 * the first still runs, 409; with another payload, 422. Calls without a key, queries and jobs pass.
 *
 * Faults that may pass by themselves, defects and refusals of the caller are not kept: the next call runs the handler again.
 *
 * @example
 * const once = idempotency({ store: memoryKv(), ttl: "24h" });
 */
export function idempotency(
  options: IdempotencyOptions,
): Middleware<{ readonly idempotency: IdempotentCall | undefined }, Fault> {
  const keeper = new Keeper(options);
  const { required = false } = options;
  return middleware({
    faults: idempotencyFaults,
    admit(call, operation) {
      if (operation.type !== "mutation") return undefined;
      const given = call.header("idempotency-key");
      if (given === undefined) {
        const needed = typeof required === "function" ? required(operation) : required;
        return needed ? IdempotencyKeyInvalid({ reason: "this operation needs one" }) : undefined;
      }
      return parseKey(given) === undefined
        ? IdempotencyKeyInvalid({
            reason: "it is 1 to 255 visible characters, in quotes or without comma and semicolon",
          })
        : undefined;
    },
    call(call, next) {
      const given = call.type === "mutation" ? call.header("idempotency-key") : undefined;
      const key = given === undefined ? undefined : parseKey(given);
      return key === undefined
        ? next({ idempotency: undefined })
        : keeper.once(call, key, (idempotency) => next({ idempotency }));
    },
  }) as Middleware<{ readonly idempotency: IdempotentCall | undefined }, Fault>;
}

function parseKey(header: string): string | undefined {
  const match = keyPattern.exec(header);
  return match?.[1] ?? match?.[2];
}

class Keeper {
  readonly #store: KvStore;
  readonly #ttlMs: number;
  readonly #lease: Duration | undefined;
  readonly #scope: (call: MiddlewareCall) => string;
  readonly #answers = new WeakMap<Operation, Answers>();

  constructor({ store, ttl = "24h", lease, scope }: IdempotencyOptions) {
    this.#store = store;
    this.#ttlMs = durationMs(ttl);
    this.#lease = lease;
    if (lease !== undefined) durationMs(lease);
    this.#scope = scope ?? ((call) => (call.auth === undefined ? "anyone" : `caller:${call.auth.subject}`));
  }

  async once(call: MiddlewareCall, key: string, run: (call: IdempotentCall) => Promise<AnyResult>): Promise<AnyResult> {
    // Only mutations come here.
    const operation = call.member as Operation;
    const answers = this.#answersOf(operation);
    // Hashed for its length, and so that the store does not show what clients sent.
    const record = `idempotency:${await sha256(JSON.stringify([this.#scope(call), call.name, key]))}`;
    const print = await sha256(answers.fingerprintText(call.input));
    // A second look, for a record that ends between the two steps.
    for (let look = 0; look < 2; look++) {
      const leaseMs =
        durationMs(this.#lease ?? operation.options.timeout ?? "30s") + (this.#lease === undefined ? 30_000 : 0);
      const leased = await this.#store.set(record, textOf({ state: "running", print }), {
        ttlMs: leaseMs,
        if: "absent",
        pinned: true,
      });
      if (!leased.ok) return err(unavailable());
      if (leased.value !== undefined) {
        const lease: Lease = { key, record, version: leased.value, print };
        return this.#run(call, answers, lease, run);
      }
      const found = await this.#store.get(record);
      if (!found.ok) return err(unavailable());
      if (found.value !== undefined)
        return this.#repeat(call, answers, JSON.parse(found.value.value) as Running | Done, print);
    }
    return err(IdempotencyInProgress({ retryAfter: 1000 }));
  }

  async #repeat(call: MiddlewareCall, answers: Answers, kept: Running | Done, print: string): Promise<AnyResult> {
    if (!equalSecrets(kept.print, print)) return err(IdempotencyKeyReused());
    if (kept.state === "running") return err(IdempotencyInProgress({ retryAfter: 1000 }));
    if (kept.answer === undefined) return err(IdempotencyAnswerLost());
    const result = await answers.read(kept.answer, call.reply);
    call.reply.set("idempotency-replayed", "true");
    return result;
  }

  /** Whoever has lost the lease, because he took longer, leaves the record to the one who has it now. */
  async #run(
    call: MiddlewareCall,
    answers: Answers,
    lease: Lease,
    run: (call: IdempotentCall) => Promise<AnyResult>,
  ): Promise<AnyResult> {
    const { key, record, version } = lease;
    const finish = (output: unknown): KvWrite => {
      const value = this.#doneText(answers.write(ok(output), call.reply), lease);
      if (value === undefined)
        throw new TypeError("idempotency.finish: the output does not fit, or is too large to be kept.");
      return { key: record, value, ttlMs: this.#ttlMs, if: version };
    };
    const result = await run({ key, finish });
    if (!isKept(result)) {
      void (await this.#store.delete(record, version));
      return result;
    }
    const done =
      this.#doneText(answers.write(result, call.reply), lease) ?? textOf({ state: "done", print: lease.print });
    // The handler has done its work: a store that does not answer now changes nothing about that. The lease runs out by itself.
    void (await this.#store.set(record, done, { ttlMs: this.#ttlMs, if: version }));
    return result;
  }

  /** Undefined for what cannot be kept. */
  #doneText(answer: string | undefined, { print }: Lease): string | undefined {
    if (answer === undefined) return undefined;
    const text = textOf({ state: "done", print, answer });
    return text.length <= this.#store.maxValueChars ? text : undefined;
  }

  #answersOf(operation: Operation): Answers {
    let answers = this.#answers.get(operation);
    if (answers === undefined) this.#answers.set(operation, (answers = new Answers(operation)));
    return answers;
  }
}

function textOf(record: Running | Done): string {
  return JSON.stringify(record);
}

/** What would come out the same again. */
function isKept(result: AnyResult): boolean {
  if (result.ok) return true;
  const { kind } = result.fault;
  if (kinds[kind].retryable) return false;
  return kind !== "internal" && kind !== "cancelled" && kind !== "unauthenticated" && kind !== "permission_denied";
}

function unavailable(): Fault {
  return Unavailable({}, "Whether this call was carried out already cannot be looked up now. Repeat it later.");
}
