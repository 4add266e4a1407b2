/** The HTTP/2 carrier: streams of `node:http2` to HttpRequest, HttpResponse to frames. */
export { http2Limits, resolveHttp2Limits, type Http2Limits } from "./limits.ts";
export { createHttp2 } from "./session.ts";
