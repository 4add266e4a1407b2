/** Ways to find out who is calling, as values for `implement({ authenticate })`, and how several stand side by side. */
import {
  defaultChallenges,
  refuseCaller,
  type Authenticate,
  type CallerAnswer,
  type Incoming,
  type Principal,
} from "../contract/index.ts";
import { isPromiseLike, type MaybePromise } from "../core/index.ts";

type CallerOf<A> = A extends Authenticate<infer P> ? P : never;

/**
 * Asks one after the other: the first that finds credentials of its kind decides, whether they are right or wrong. Put the one
 * that knows its own by a prefix (`apiKeys`) before the one that takes all (`jwt`). A 401 names the ways of all of them.
 *
 * @example
 * const authenticate = anyOf(
 *   apiKeys({ prefix: "atlas", lookup }),
 *   jwt({ issuer: "https://id.example", audience: "atlas", algorithms: ["ES256"], jwks: "https://id.example/jwks.json" }),
 * );
 */
export function anyOf<const A extends readonly [Authenticate<Principal>, ...Authenticate<Principal>[]]>(
  ...authenticators: A
): Authenticate<CallerOf<A[number]>> {
  const ask = (request: Incoming, from: number): MaybePromise<CallerAnswer<Principal>> => {
    for (let i = from; i < authenticators.length; i++) {
      const answer = (authenticators[i] as Authenticate<Principal>)(request);
      if (isPromiseLike(answer))
        return answer.then((settled) => (settled === undefined ? ask(request, i + 1) : settled));
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  const all = Object.assign((request: Incoming) => ask(request, 0), {
    start: async () => {
      for (const one of authenticators) await one.start?.();
    },
    challenges: [...new Set(authenticators.flatMap((one) => one.challenges ?? defaultChallenges))],
  });
  // What each gives is a caller of its own type.
  return all as Authenticate<CallerOf<A[number]>>;
}

/** RFC 6750 section 2.1. */
const bearerPattern = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** The token of `Authorization: Bearer …`; undefined for no such header or another scheme, null for one that is malformed. */
export function bearerToken(request: Incoming): string | undefined | null {
  const header = request.header("authorization");
  if (header === undefined || !/^Bearer(?: |$)/i.test(header)) return undefined;
  return bearerPattern.exec(header)?.[1] ?? null;
}

/** The answer for a bearer token that is wrong (RFC 6750 section 3.1). Why stays here. */
export function refuseBearer(
  request: Incoming,
  error: "invalid_token" | "invalid_request",
  reason: string,
): ReturnType<typeof refuseCaller> {
  request.reply.set("www-authenticate", `Bearer error="${error}"`);
  return refuseCaller(reason);
}
