/** Floor 1: HTTP messages as whoever carries them and whoever answers them see them. Knows no routes, no sockets, no contract. */
export type { BodyFault, HttpHandler, HttpRequest, HttpResponse, RequestNotes, Upgraded } from "./exchange.ts";
export { acceptedCodings } from "./accept-encoding.ts";
export { namesTag } from "./entity-tags.ts";
export { HeaderBlock } from "./header-block.ts";
export {
  peerAddress,
  trustProxy,
  trustedRanges,
  type AddressSource,
  type ClientAddress,
  type TrustProxyOptions,
} from "./client-address.ts";
export { clientNetwork, formatIp, inRange, parseIp, parseRange, type IpRange } from "./ip-address.ts";
export { ReplyFields, type Reply } from "./reply.ts";
export { BodyError } from "./body-error.ts";
export { RequestView } from "./request-view.ts";
export { readRequestTimeout, writeRequestTimeout } from "./request-timeout.ts";
export { readTraceContext, type TraceContext } from "./trace-context.ts";
