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
  type MemoryKv,
  type MemoryKvOptions,
} from "../kv/index.ts";
// What browsers are told.
export { cors, type CorsOptions } from "./cors.ts";
export type { OriginRule, OriginTest } from "./origins.ts";
export { securityHeaders, type HstsOptions, type SecurityHeadersOptions } from "./security-headers.ts";
