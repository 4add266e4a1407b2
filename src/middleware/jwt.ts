/**
 * Callers by JSON Web Token (RFC 7519), checked as RFC 8725 asks: algorithms by an allow-list, keys that fit them, issuer,
 * audience, expiry and type all required. `jose` does the cryptography. Whatever is wrong with a token, its sender learns only
 * that it is not valid; the reason goes to the `auth.refused` event.
 */
import type { JWK, JWTPayload, JWTVerifyOptions, LocalJWKSet } from "jose";
import { Unavailable, type Authenticate, type CallerAnswer, type Incoming, type Principal } from "../contract/index.ts";
import { durationMs, isPromiseLike, systemClock, type Clock, type Duration } from "../core/index.ts";
import { compile, t, type AnySchema, type Infer, type Shape, type ShapeOutput } from "../schema/index.ts";
import { bearerToken, refuseBearer } from "./authenticate.ts";
import { RemoteKeys, publicKeys } from "./jwks.ts";

const publicAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;
const sharedAlgorithms = ["HS256", "HS384", "HS512"] as const;
export type JwtAlgorithm = (typeof publicAlgorithms)[number] | (typeof sharedAlgorithms)[number];

type Claims<S> = S extends AnySchema ? Infer<S> : S extends Shape ? ShapeOutput<S> : never;

export interface JwtOptions<S extends AnySchema | Shape, P extends Principal> {
  /** `iss` must be one of these. */
  readonly issuer: string | readonly string[];
  /** `aud` must name one of these: else a token for another service would be taken. */
  readonly audience: string | readonly string[];
  /** What is accepted. Those of shared secrets (HS…) and of public keys are never accepted side by side. */
  readonly algorithms: readonly JwtAlgorithm[];
  /** Where the issuer publishes its keys: an `https:` address, or `http:` on this machine. One of `jwks`, `keys` and `secrets`. */
  readonly jwks?: string;
  /** Public keys as JWK, where they do not change by themselves. */
  readonly keys?: readonly JWK[];
  /** Shared secrets of 32 characters or more, for the HS algorithms. Several while one is replaced. */
  readonly secrets?: readonly string[];
  /** `typ` in the header. Default: `JWT`, `at+jwt` (RFC 9068) or none. Name `at+jwt` alone when your issuer sets it. */
  readonly type?: string;
  /** How far clocks may be apart. Default 5 s, at most 5 min. */
  readonly clockTolerance?: Duration;
  /** Refuses tokens that were issued (`iat`) longer ago. Default: their own `exp` decides. */
  readonly maxAge?: Duration;
  /** What the claims must be; those that are not named are dropped. A token whose claims do not fit is refused. Default: `sub` and `scope`. */
  readonly claims?: S;
  /** The caller that the claims stand for; undefined refuses the token. Default: subject `sub`, scopes `scope` (or `scp`). */
  readonly principal?: (claims: Claims<S>) => P | undefined;
  /** For `jwks`: how often keys are fetched, and how long that may take. */
  readonly cacheMaxAge?: Duration;
  /** How long keys are still used while the issuer does not answer. Default 1 h. */
  readonly staleIfError?: Duration;
  /** Between two fetches at least. Default 30 s. */
  readonly cooldown?: Duration;
  /** For one fetch. Default 5 s. */
  readonly timeout?: Duration;
  /** Bytes of a key set at most. Default 256 KiB. */
  readonly maxBytes?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

/** What checks tokens, without what reads claims. */
type Settings = Omit<JwtOptions<Shape, Principal>, "claims" | "principal">;

/** Characters of a token: more is no token but an attempt to keep somebody busy. */
const longestToken = 16 * 1024;

/**
 * Knows callers by a JWT in `Authorization: Bearer`. Needs the package `jose`.
 *
 * @throws TypeError for options that leave a door open: no algorithm, a secret beside public keys, keys over plain HTTP.
 * @example
 * const authenticate = jwt({
 *   issuer: "https://id.example",
 *   audience: "https://atlas.example",
 *   algorithms: ["ES256"],
 *   jwks: "https://id.example/.well-known/jwks.json",
 *   claims: { sub: t.string(), scope: t.default(t.string(), ""), tenant: t.string() },
 *   principal: ({ sub, scope, tenant }) => ({ subject: sub, scopes: scope.split(" "), tenant }),
 * });
 */
export function jwt<S extends AnySchema | Shape = Shape, P extends Principal = Principal>(
  options: JwtOptions<S, P>,
): Authenticate<P> {
  checkOptions(options);
  const clock = options.clock ?? systemClock;
  const toCaller = callerReader(options);
  let loaded: Promise<Verify> | undefined;
  const load = (): Promise<Verify> => (loaded ??= makeVerify(options, clock));
  const check = async (request: Incoming, token: string): Promise<CallerAnswer<P>> => {
    const verify = await load();
    const verdict = await verify(token);
    if ("unavailable" in verdict) {
      request.reply.set("retry-after", "5");
      return Unavailable({}, "Credentials cannot be checked now. Repeat the call later.");
    }
    if ("refused" in verdict) return refuseBearer(request, "invalid_token", verdict.refused);
    const caller = await toCaller(verdict.claims);
    return "refused" in caller ? refuseBearer(request, "invalid_token", caller.refused) : caller.principal;
  };
  const authenticate: Authenticate<P> = (request) => {
    const token = bearerToken(request);
    if (token === undefined) return undefined;
    if (token === null || token.length > longestToken)
      return refuseBearer(request, "invalid_request", "the Authorization header is malformed");
    return check(request, token);
  };
  return Object.assign(authenticate, {
    challenges: ["Bearer"],
    start: async () => {
      await load();
    },
  });
}

type Verdict = { readonly claims: JWTPayload } | { readonly refused: string } | { readonly unavailable: string };
type Verify = (token: string) => Promise<Verdict>;
type Jose = typeof import("jose");

async function loadJose(): Promise<Jose> {
  try {
    return await import("jose");
  } catch (cause) {
    throw new Error("jwt() needs the package jose, which is not installed. Add it: npm install jose", { cause });
  }
}

async function makeVerify(options: Settings, clock: Clock): Promise<Verify> {
  const jose = await loadJose();
  const seconds = (duration: Duration): number => durationMs(duration) / 1000;
  const fixed: JWTVerifyOptions = {
    algorithms: [...options.algorithms],
    issuer: asList(options.issuer),
    audience: asList(options.audience),
    clockTolerance: seconds(options.clockTolerance ?? "5s"),
    requiredClaims: ["exp", "iss", "aud"],
    ...(options.maxAge !== undefined && { maxTokenAge: seconds(options.maxAge) }),
  };
  const verifyBy = async (token: string, key: LocalJWKSet | Uint8Array): Promise<Verdict> => {
    const now = { ...fixed, currentDate: new Date(clock.now()) };
    const { payload, protectedHeader } =
      typeof key === "function" ? await jose.jwtVerify(token, key, now) : await jose.jwtVerify(token, key, now);
    const { typ } = protectedHeader;
    if (!typeFits(typ, options.type)) return { refused: `the token has the type ${String(typ)}` };
    return { claims: payload };
  };
  const tried = (work: () => Promise<Verdict>): Promise<Verdict> =>
    work().catch((error: unknown) => refusedBy(jose, error));
  if (options.secrets !== undefined) {
    const secrets = options.secrets.map((secret) => new TextEncoder().encode(secret));
    return async (token) => {
      let verdict: Verdict = { refused: "no secret" };
      for (const secret of secrets) {
        verdict = await tried(() => verifyBy(token, secret));
        if (!("refused" in verdict) || verdict.refused !== wrongSignature) break;
      }
      return verdict;
    };
  }
  if (options.keys !== undefined) {
    const set = jose.createLocalJWKSet({ keys: [...options.keys] });
    return (token) => tried(() => verifyBy(token, set));
  }
  const remote = remoteKeys(options, jose, clock);
  return async (token) => {
    const set = await remote.current();
    if (set === undefined) return { unavailable: remote.failure };
    const verdict = await tried(() => verifyBy(token, set));
    if (!("refused" in verdict) || verdict.refused !== unknownKey) return verdict;
    const newer = await remote.newer(set);
    return newer === undefined ? verdict : tried(() => verifyBy(token, newer));
  };
}

function remoteKeys(options: Settings, jose: Jose, clock: Clock): RemoteKeys {
  return new RemoteKeys(options.jwks as string, {
    cacheMaxAgeMs: durationMs(options.cacheMaxAge ?? "10m"),
    staleIfErrorMs: durationMs(options.staleIfError ?? "1h"),
    cooldownMs: durationMs(options.cooldown ?? "30s"),
    timeoutMs: durationMs(options.timeout ?? "5s"),
    maxBytes: options.maxBytes ?? 256 * 1024,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock,
    resolver: (keys) => jose.createLocalJWKSet(keys),
  });
}

const wrongSignature = "its signature is wrong";
const unknownKey = "its key is unknown";

/** Only what `jose` says about the token: anything else is a mistake in the program. */
function refusedBy(jose: Jose, error: unknown): Verdict {
  const { errors } = jose;
  if (error instanceof errors.JWSSignatureVerificationFailed) return { refused: wrongSignature };
  if (error instanceof errors.JWKSNoMatchingKey) return { refused: unknownKey };
  if (error instanceof errors.JOSEError) return { refused: error.message };
  // An alg that does not go with the key, or a key that the platform refuses.
  if (error instanceof TypeError || (error instanceof Error && error.name === "DataError"))
    return { refused: error.message };
  throw error;
}

/** RFC 8725 section 3.11: a token made for another purpose is none. */
function typeFits(given: unknown, wanted: string | undefined): boolean {
  // RFC 7515 section 4.1.9: "application/" may be left out, and case does not matter.
  const type = typeof given === "string" ? given.toLowerCase().replace(/^application\//, "") : given;
  if (wanted !== undefined) return type === wanted.toLowerCase().replace(/^application\//, "");
  return type === undefined || type === "jwt" || type === "at+jwt";
}

type Read<P> = { readonly principal: P } | { readonly refused: string };

function callerReader<S extends AnySchema | Shape, P extends Principal>(
  options: JwtOptions<S, P>,
): (claims: JWTPayload) => Read<P> | Promise<Read<P>> {
  const { claims: given, principal } = options;
  const judge = (claims: unknown): Read<P> => {
    // Without a function of the program's own the caller has nothing but subject and scopes, which is what P is then.
    const caller =
      principal === undefined ? (plainCaller(claims as JWTPayload) as P | undefined) : principal(claims as Claims<S>);
    return caller === undefined ? { refused: "its claims name no caller" } : { principal: caller };
  };
  if (given === undefined) return judge;
  const codec = compile<AnySchema>("~standard" in given ? (given as AnySchema) : t.object(given, { unknown: "strip" }));
  return (claims) => {
    const parsed = codec.parse(claims);
    if (isPromiseLike(parsed))
      return parsed.then((settled) => (settled.ok ? judge(settled.value) : unfit(settled.fault)));
    return parsed.ok ? judge(parsed.value) : unfit(parsed.fault);
  };
}

function unfit({ message }: { readonly message: string }): { readonly refused: string } {
  return { refused: `its claims do not fit: ${message}` };
}

/** RFC 8693 section 4.2: `scope` is a list in one text; some issuers write `scp`, as a text or a list. */
function plainCaller(claims: JWTPayload): Principal | undefined {
  const { sub } = claims;
  if (typeof sub !== "string" || sub === "") return undefined;
  const scope: unknown = claims["scope"] ?? claims["scp"];
  if (scope === undefined) return { subject: sub };
  const scopes: unknown = typeof scope === "string" ? scope.split(" ").filter((one) => one !== "") : scope;
  const known = Array.isArray(scopes) && scopes.every((one) => typeof one === "string");
  return known ? { subject: sub, scopes } : undefined;
}

function asList(given: string | readonly string[]): string[] {
  return typeof given === "string" ? [given] : [...given];
}

function checkOptions(options: Settings): void {
  const refuse = (why: string): never => {
    throw new TypeError(`jwt: ${why}`);
  };
  if (asList(options.issuer).every((issuer) => issuer === "")) refuse("name the issuer.");
  if (asList(options.audience).every((audience) => audience === "")) refuse("name the audience: this service.");
  const known: readonly string[] = [...publicAlgorithms, ...sharedAlgorithms];
  const { algorithms } = options;
  if (algorithms.length === 0) refuse('name the algorithms that are accepted, such as ["ES256"].');
  for (const algorithm of algorithms)
    if (!known.includes(algorithm)) refuse(`the algorithm "${algorithm}" is not one of ${known.join(", ")}.`);
  const sources = [options.jwks, options.keys, options.secrets].filter((source) => source !== undefined);
  if (sources.length !== 1) refuse("give one of jwks (an address), keys (public JWKs) and secrets.");
  const shared = algorithms.filter((algorithm) => (sharedAlgorithms as readonly string[]).includes(algorithm));
  // Where both are accepted, a public key could be used as the secret of a forged token (RFC 8725 section 2.1).
  if (shared.length !== (options.secrets === undefined ? 0 : algorithms.length))
    refuse("secrets go with HS256, HS384 and HS512 alone, and those with secrets alone.");
  if (options.secrets?.some((secret) => secret.length < 32) === true)
    refuse("a secret has at least 32 random characters.");
  if (options.keys !== undefined && publicKeys({ keys: options.keys }).length !== options.keys.length)
    refuse("keys are public JWKs: without d, and not of the kind oct.");
  if (options.jwks !== undefined && !isSafeUrl(options.jwks))
    refuse(
      "jwks is an https: address. Plain HTTP is for this machine alone: who stands between could put in keys of his own.",
    );
  if (durationMs(options.clockTolerance ?? 0) > 300_000) refuse("clockTolerance is at most 5 min.");
}

function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url?.protocol === "https:") return true;
  return url?.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}
