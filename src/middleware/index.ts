/** Floor 4: standard middleware and authentication (`tensile/middleware`). Needs no Node: runs wherever `app.fetch` does. */
export { trustProxy, type AddressSource, type ClientAddress, type TrustProxyOptions } from "../exchange/index.ts";
export {
  memoryKv,
  type KvAdvanced,
  type KvEntry,
  type KvFault,
  type KvResult,
  type KvSetOptions,
  type KvStore,
  type KvWrite,
  type MemoryKv,
  type MemoryKvOptions,
} from "../kv/index.ts";
// What browsers are told.
export { cors, type CorsOptions } from "./cors.ts";
export type { OriginRule, OriginTest } from "./origins.ts";
export { securityHeaders, type HstsOptions, type SecurityHeadersOptions } from "./security-headers.ts";
export { CrossOriginRefused, csrf, type CsrfOptions } from "./csrf.ts";
// What answers and bodies are made of.
export { compression, type CompressionOptions } from "./compression.ts";
export { decompression, type DecompressionOptions } from "./decompression.ts";
export { checkIfMatch, etag, type EtagOptions } from "./etag.ts";
export { PreconditionFailed } from "../contract/index.ts";
export { timeout, type TimeoutOptions } from "./timeout.ts";
export { requestId, type RequestIdOptions } from "./request-id.ts";
// Who is calling.
export { refuseCaller } from "../contract/index.ts";
export { anyOf } from "./authenticate.ts";
export { apiKeys, newApiKey, type ApiKeyRecord, type ApiKeysOptions, type NewApiKey } from "./api-keys.ts";
export { jwt, type JwtAlgorithm, type JwtOptions } from "./jwt.ts";
export { sessions, type SessionResult, type Sessions, type SessionsOptions, type SessionTools } from "./sessions.ts";
// Cookies.
export { cookie, type Cookie, type CookieOptions } from "./cookie.ts";
export { cookies, type Cookies, type CookiesOptions } from "./cookies.ts";
export type { CookieAttributes } from "./cookie-syntax.ts";
// How often, and how often at most once.
export {
  RateLimited,
  rateLimit,
  type EarlyRateLimitOptions,
  type RateKey,
  type RateLimitOptions,
} from "./rate-limit.ts";
export { idempotency, type IdempotencyOptions, type IdempotentCall } from "./idempotency.ts";
export {
  IdempotencyAnswerLost,
  IdempotencyInProgress,
  IdempotencyKeyInvalid,
  IdempotencyKeyReused,
  idempotencyFaults,
} from "./idempotency-faults.ts";
