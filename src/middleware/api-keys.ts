/**
 * API keys: `prefix_id_secret`. The id finds the record, the hash of the whole key proves it; whoever reads the store cannot call
 * with what stands there. The secret has 256 random bits, so one SHA-256 is enough: there is nothing to guess that a slow hash
 * would protect.
 */
import {
  refuseCaller,
  type Authenticate,
  type CallerAnswer,
  type Incoming,
  type Principal,
} from "../contract/index.ts";
import { randomHex, systemClock, type Clock, type MaybePromise } from "../core/index.ts";
import { bearerToken, refuseBearer } from "./authenticate.ts";
import { checkTokens } from "./options.ts";
import { equalSecrets, sha256 } from "./secret.ts";

/** What a store keeps of a key. */
export interface ApiKeyRecord<P extends Principal> {
  /** SHA-256 of the whole key, as `newApiKey` gives it. */
  readonly hash: string;
  /** Whom the key stands for, with its scopes. */
  readonly principal: P;
  /** Wall-clock milliseconds from which on it is refused. Default: never. */
  readonly expiresAt?: number;
}

export interface ApiKeysOptions<P extends Principal> {
  /** What keys of this application begin with, so that people and secret scanners know them: 1 to 16 lower-case letters and digits. */
  readonly prefix: string;
  /** The record of an id; undefined when there is none. */
  readonly lookup: (id: string) => MaybePromise<ApiKeyRecord<P> | undefined>;
  /** Where the key stands. `authorization`: as a bearer token. Default `x-api-key`. */
  readonly header?: string;
  readonly clock?: Clock;
}

export interface NewApiKey {
  /** For the caller. Show it once; it is kept nowhere. */
  readonly key: string;
  /** For the store: finds the record. May be shown and logged. */
  readonly id: string;
  /** For the store: proves the key. */
  readonly hash: string;
}

const prefixPattern = /^[a-z0-9]{1,16}$/;

/**
 * Makes a key: an id of 64 random bits and a secret of 256.
 *
 * @example
 * const { key, id, hash } = await newApiKey("atlas");
 * // key: atlas_3f9c2b71d0a64e85_… for the caller; id and hash for the store
 */
export async function newApiKey(prefix: string): Promise<NewApiKey> {
  checkPrefix(prefix);
  const id = randomHex(8);
  const key = `${prefix}_${id}_${randomHex(32)}`;
  return { key, id, hash: await sha256(key) };
}

function checkPrefix(prefix: string): void {
  if (!prefixPattern.test(prefix))
    throw new TypeError(`The prefix of API keys is 1 to 16 lower-case letters and digits, not "${prefix}".`);
}

/**
 * Knows callers by their API key. A bearer token that does not begin with the prefix is left to the next in `anyOf`.
 *
 * @throws TypeError for a prefix or a header that cannot be.
 * @example
 * const authenticate = apiKeys({ prefix: "atlas", lookup: (id) => records.get(id) });
 */
export function apiKeys<P extends Principal>(options: ApiKeysOptions<P>): Authenticate<P> {
  const { prefix, lookup, clock = systemClock } = options;
  checkPrefix(prefix);
  const header = options.header?.toLowerCase() ?? "x-api-key";
  checkTokens("apiKeys", "header", [header]);
  const bearer = header === "authorization";
  const pattern = new RegExp(`^${prefix}_([0-9a-f]{16})_[0-9a-f]{64}$`);
  const refuse = (request: Incoming, reason: string): ReturnType<typeof refuseCaller> =>
    bearer ? refuseBearer(request, "invalid_token", reason) : refuseCaller(reason);
  const check = async (request: Incoming, key: string, id: string): Promise<CallerAnswer<P>> => {
    const [record, hash] = await Promise.all([lookup(id), sha256(key)]);
    // An id that nobody has takes the way of one with a wrong secret.
    const valid = equalSecrets(hash, record?.hash ?? noHash);
    if (record === undefined) return refuse(request, `no API key with the id ${id}`);
    if (!valid) return refuse(request, `the secret of the API key ${id} is wrong`);
    if (record.expiresAt !== undefined && record.expiresAt <= clock.now())
      return refuse(request, `the API key ${id} has expired`);
    return record.principal;
  };
  const authenticate: Authenticate<P> = (request) => {
    const key = bearer ? bearerToken(request) : request.header(header);
    if (key === undefined || key === null) return undefined;
    const id = pattern.exec(key)?.[1];
    if (id !== undefined) return check(request, key, id);
    return bearer && !key.startsWith(`${prefix}_`) ? undefined : refuse(request, "the API key is malformed");
  };
  // No scheme is registered for keys in a header of their own; clients that know none of them leave it alone.
  return Object.assign(authenticate, { challenges: [bearer ? "Bearer" : `ApiKey header="${header}"`] });
}

/** As long as a hash, and none. */
const noHash = "-".repeat(43);
