/**
 * What HTTP/2 leaves to us in the check of a request: nghttp2 has seen to pseudo-headers, field names and values, and
 * Content-Length; here a request is held to the same rules as the HTTP/1.1 engine's, so that routes see no difference.
 */
import { agreesWithHost, isHost } from "../host.ts";
import type { EngineLimits } from "../limits.ts";
import { isKnownMethod } from "../methods.ts";
import type { Refusal } from "../refusal.ts";

/** As `targetByte` of the engine: visible ASCII but "#". */
const targetPattern = /^\/[\x21\x22\x24-\x7e]*$/;

export class RequestHead {
  method = "";
  target = "";
  /** What :authority and Host agree on. */
  host = "";
  /** -1: not said. */
  contentLength = -1;
  expectContinue = false;
  /** The host of the last request that was accepted: nearly always that of the next one. */
  #knownHost = "";

  /** Reads name, value, name, value, … as nghttp2 gives them: pseudo-headers first. Null: accepted. */
  read(fields: readonly string[], limits: EngineLimits): Refusal | null {
    let authority: string | undefined;
    let host: string | undefined;
    let expectation: string | undefined;
    let bytes = 0;
    this.contentLength = -1;
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at] as string;
      const value = fields[at + 1] as string;
      bytes += name.length + value.length;
      switch (name) {
        case ":method":
          this.method = value;
          break;
        case ":path":
          this.target = value;
          break;
        case ":authority":
          authority = value;
          break;
        case "host":
          if (host !== undefined) return "repeated_host";
          host = value;
          break;
        case "content-length":
          this.contentLength = Number(value);
          break;
        case "expect":
          expectation = value;
          break;
        default:
          break;
      }
    }
    // The library holds a client to this from its acknowledgement of SETTINGS on, which it may never send.
    if (bytes > limits.headBytes) return "head_too_large";
    if (!isKnownMethod(this.method)) return "unknown_method";
    if (this.target.length > limits.targetBytes) return "target_too_long";
    if (!targetPattern.test(this.target) && !(this.target === "*" && this.method === "OPTIONS")) return "bad_target";
    if (this.contentLength > Math.max(limits.bodyBytes, limits.streamBytes)) return "body_too_large";
    this.expectContinue = expectation?.toLowerCase() === "100-continue";
    if (expectation !== undefined && !this.expectContinue) return "unknown_expectation";
    return this.#readHost(authority, host);
  }

  /** RFC 9113 section 8.3.1: either may be there, and they may not differ. */
  #readHost(authority: string | undefined, host: string | undefined): Refusal | null {
    const named = authority ?? host;
    if (named === undefined) return "missing_host";
    if (authority !== undefined && host !== undefined && !agreesWithHost(authority, host)) return "host_mismatch";
    if (named !== this.#knownHost) {
      const bytes = Buffer.from(named, "latin1");
      if (!isHost(bytes, 0, bytes.length)) return "bad_host";
      this.#knownHost = named;
    }
    this.host = named;
    return null;
  }
}
