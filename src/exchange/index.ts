/** Floor 1: HTTP messages as whoever carries them and whoever answers them see them. Knows no routes, no sockets, no contract. */
export type { BodyFault, HttpHandler, HttpRequest, HttpResponse, RequestNotes, TraceContext } from "./exchange.ts";
export { HeaderBlock } from "./header-block.ts";
