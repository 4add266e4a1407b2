/**
 * Sessions: a random id in a cookie, everything else in a store. The store sees only the id's hash, so that whoever reads it cannot
 * take over a session. Signing in always makes a new id (a planted one is worth nothing: session fixation), and ends the one that
 * the browser had before.
 *
 * Each subject has a record with a random epoch, and a session is valid only while it carries the same one. Signing out everywhere
 * deletes that record. When a store loses it, sessions end early; none outlives its end.
 */
import {
  Unavailable,
  middleware,
  type Authenticate,
  type Incoming,
  type Middleware,
  type Principal,
} from "../contract/index.ts";
import {
  durationMs,
  err,
  isPromiseLike,
  ok,
  systemClock,
  type Clock,
  type Duration,
  type Result,
} from "../core/index.ts";
import type { KvEntry, KvStore } from "../kv/index.ts";
import { compile, t, type AnySchema, type Codec, type Infer, type InferInput } from "../schema/index.ts";
import { cookie, type Cookie, type CookieOptions } from "./cookie.ts";
import { parseCookies } from "./cookie-syntax.ts";
import { randomToken, sha256 } from "./secret.ts";

export interface SessionsOptions<S extends AnySchema> {
  /** `memoryKv()` for one process without memory of its past; `sqliteKv(store)` to survive a restart. */
  readonly store: KvStore;
  /** Who is signed in, as it is kept: an object with `subject`, and `scopes` if you use them. Default: these two. */
  readonly principal?: S;
  /** A session ends after so long without a call. Default 30 min. */
  readonly idle?: Duration;
  /** And after so long in any case. Default 12 h. */
  readonly absolute?: Duration;
  /** Default: `__Host-session`, Secure, HttpOnly, SameSite=Lax. */
  readonly cookie?: Omit<CookieOptions<never>, "schema" | "signed" | "maxAge" | "httpOnly"> & {
    readonly name?: string;
  };
  readonly clock?: Clock;
}

export type SessionResult = Promise<Result<undefined, ReturnType<typeof Unavailable>>>;

/** What handlers get as `session`. */
export interface SessionTools<P> {
  /** Begins a session for this caller, under a new id, and ends the one that the browser had. */
  signIn(principal: P): SessionResult;
  /** Ends this session. */
  signOut(): SessionResult;
  /** Ends every session of a subject, wherever they began. Default: of the caller. */
  signOutEverywhere(subject?: string): SessionResult;
}

export interface Sessions<In, Out extends Principal> {
  /** For `implement({ authenticate })`, alone or in `anyOf`. A session that is over is nobody. */
  readonly authenticate: Authenticate<Out>;
  /** Gives handlers `session`. */
  readonly middleware: Middleware<{ readonly session: SessionTools<In> }>;
}

interface Kept {
  /** The principal, as its schema writes it. */
  readonly who: unknown;
  readonly epoch: string;
  /** Wall-clock milliseconds. */
  readonly endsAt: number;
  readonly seenAt: number;
}

const plainPrincipal = t.object({ subject: t.string(), scopes: t.optional(t.array(t.string())) });
/** 256 bits as base64url. */
const idPattern = /^[A-Za-z0-9_-]{43}$/;
/** A use moves the end of the idle time on, but is written only when so much of it has passed: a busy session writes seldom. */
const renewAfter = 1 / 10;

/**
 * Sessions for browsers.
 *
 * @throws TypeError for times that cannot be or a cookie that browsers refuse.
 * @example
 * const web = sessions({ store: memoryKv(), idle: "30m", absolute: "12h" });
 * const { authenticate, middleware } = web; // both for implement(); its handlers then get `session`
 * const signIn = (session: SessionTools<{ subject: string }>, user: string) => session.signIn({ subject: user });
 */
export function sessions<S extends AnySchema = typeof plainPrincipal>(
  options: SessionsOptions<S>,
): Sessions<InferInput<S>, Infer<S> & Principal> {
  const idleMs = durationMs(options.idle ?? "30m");
  const absoluteMs = durationMs(options.absolute ?? "12h");
  if (idleMs < 1000 || absoluteMs < idleMs)
    throw new TypeError("sessions: idle is at least 1 s, and absolute at least as long as idle.");
  const { name = "__Host-session", ...attributes } = options.cookie ?? {};
  const keeper = new Keeper({
    store: options.store,
    clock: options.clock ?? systemClock,
    codec: compile<AnySchema>(options.principal ?? plainPrincipal),
    cookie: cookie(name, { ...attributes, maxAge: absoluteMs }),
    idleMs,
    absoluteMs,
  });
  // The codec is the schema's, which gives the types; that a subject is there is checked with every caller.
  return Object.freeze({
    // No scheme is registered for cookies; draft-broyer-http-cookie-auth has this one. Browsers ask nobody for a password by it.
    authenticate: Object.assign(keeper.authenticate, { challenges: [`Cookie cookie-name="${name}"`] }),
    middleware: middleware<{ readonly session: SessionTools<InferInput<S>> }, never>((call, next) =>
      next({ session: keeper.tools(call) }),
    ),
  });
}

interface KeeperOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly codec: Codec<never, unknown>;
  readonly cookie: Cookie<string, string>;
  readonly idleMs: number;
  readonly absoluteMs: number;
}

type Call = Pick<Incoming, "header" | "reply"> & { readonly auth: Principal | undefined };

class Keeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  readonly authenticate: Authenticate<Principal> = (request) => {
    const id = this.#idOf(request);
    return id === undefined ? undefined : this.#find(id);
  };

  tools(call: Call): SessionTools<unknown> {
    return {
      signIn: (principal) => this.#signIn(call, principal),
      signOut: () => this.#signOut(call),
      signOutEverywhere: (subject = call.auth?.subject) => this.#signOutEverywhere(call, subject),
    };
  }

  #idOf(call: Pick<Incoming, "header">): string | undefined {
    const header = call.header("cookie");
    const id = header === undefined ? undefined : parseCookies(header).get(this.#options.cookie.name);
    return id !== undefined && idPattern.test(id) ? id : undefined;
  }

  async #find(id: string): Promise<Principal | undefined | ReturnType<typeof Unavailable>> {
    const { store, clock, codec } = this.#options;
    const key = await sessionKey(id);
    const found = await store.get(key);
    if (!found.ok) return unavailable();
    if (found.value === undefined) return undefined;
    const kept = JSON.parse(found.value.value) as Kept;
    const parsed = await codec.parse(kept.who);
    // A session that an older program began, whose callers looked otherwise, is over.
    if (!parsed.ok || kept.endsAt <= clock.now()) return undefined;
    const principal = parsed.value as Principal;
    const epoch = await store.get(await epochKey(principal.subject));
    if (!epoch.ok) return unavailable();
    if (epoch.value?.value !== kept.epoch) return undefined;
    this.#renew(key, found.value, kept);
    return principal;
  }

  /** Only while the record is the one that was read: a session that was just ended must not come back. Nobody waits for it. */
  #renew(key: string, entry: KvEntry, kept: Kept): void {
    const { store, clock, idleMs } = this.#options;
    const now = clock.now();
    if (now - kept.seenAt < idleMs * renewAfter) return;
    const ttlMs = Math.min(idleMs, kept.endsAt - now);
    const renewed = store.set(key, JSON.stringify({ ...kept, seenAt: now } satisfies Kept), {
      ttlMs,
      if: entry.version,
    });
    // A store that does not answer leaves the session as it was.
    if (isPromiseLike(renewed)) void renewed.then(undefined, () => undefined);
  }

  async #signIn(call: Call, principal: unknown): SessionResult {
    const { store, clock, codec, cookie: declared, idleMs, absoluteMs } = this.#options;
    const who = codec.encode(principal as never);
    if (!who.ok) throw new TypeError(`session.signIn: the principal does not fit its schema: ${who.fault.message}`);
    const { subject } = who.value as Principal;
    if (typeof subject !== "string") throw new TypeError("session.signIn: the principal needs a subject.");
    const epoch = await this.#epochOf(subject);
    if (epoch === undefined) return err(unavailable());
    const now = clock.now();
    const id = randomToken(32);
    const kept: Kept = { who: who.value, epoch, endsAt: now + absoluteMs, seenAt: now };
    const written = await store.set(await sessionKey(id), JSON.stringify(kept), { ttlMs: idleMs });
    if (!written.ok) return err(unavailable());
    const before = this.#idOf(call);
    if (before !== undefined) void (await store.delete(await sessionKey(before)));
    call.reply.append("set-cookie", declared.set(id));
    return ok();
  }

  async #signOut(call: Call): SessionResult {
    const id = this.#idOf(call);
    if (id !== undefined) {
      const ended = await this.#options.store.delete(await sessionKey(id));
      if (!ended.ok) return err(unavailable());
    }
    call.reply.append("set-cookie", this.#options.cookie.remove);
    return ok();
  }

  async #signOutEverywhere(call: Call, subject: string | undefined): SessionResult {
    if (subject !== undefined) {
      const ended = await this.#options.store.delete(await epochKey(subject));
      if (!ended.ok) return err(unavailable());
    }
    return subject === call.auth?.subject ? this.#signOut(call) : ok();
  }

  /** The subject's epoch, which now lasts at least as long as a session that begins now. Undefined when the store does not answer. */
  async #epochOf(subject: string): Promise<string | undefined> {
    const { store, absoluteMs } = this.#options;
    const key = await epochKey(subject);
    // A minute more than any session, so that it never ends a session by ending first.
    const ttlMs = absoluteMs + 60_000;
    for (let attempt = 0; attempt < 8; attempt++) {
      const found = await store.get(key);
      if (!found.ok) return undefined;
      const value = found.value?.value ?? randomToken(16);
      const written = await store.set(key, value, { ttlMs, if: found.value?.version ?? "absent" });
      if (!written.ok) return undefined;
      if (written.value !== undefined) return value;
    }
    return undefined;
  }
}

function unavailable(): ReturnType<typeof Unavailable> {
  return Unavailable({}, "Sessions cannot be looked up now. Repeat the call later.");
}

async function sessionKey(id: string): Promise<string> {
  return `session:${await sha256(id)}`;
}

/** Hashed for its length: a subject may be any text. */
async function epochKey(subject: string): Promise<string> {
  return `session-epoch:${await sha256(subject)}`;
}
