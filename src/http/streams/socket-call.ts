/** A handshake, or a later subscription on its socket, as the bound call sees it. */
import { bearerProtocol } from "../../contract/index.ts";
import type { HttpRequest } from "../../exchange/index.ts";
import { StreamCall } from "./stream-call.ts";

export class SocketCall extends StreamCall {
  readonly #authorization: string | undefined;

  constructor(request: HttpRequest, newId: () => string) {
    super(request, newId);
    this.#authorization = request.header("authorization") ?? offeredToken(request.header("sec-websocket-protocol"));
  }

  override header(name: string): string | undefined {
    return name === "authorization" ? this.#authorization : super.header(name);
  }
}

const base64urlPattern = /^[A-Za-z0-9_-]{1,8192}$/;

/** A page can set no header, so its client offers the token as a subprotocol. What is no base64url of ASCII is nobody's token. */
function offeredToken(protocols: string | undefined): string | undefined {
  const offered = protocols
    ?.split(",")
    .map((one) => one.trim())
    .find((one) => one.startsWith(bearerProtocol))
    ?.slice(bearerProtocol.length);
  if (offered === undefined || !base64urlPattern.test(offered)) return undefined;
  try {
    const token = atob(offered.replaceAll("-", "+").replaceAll("_", "/"));
    return /^[\x21-\x7e]+$/.test(token) ? `Bearer ${token}` : undefined;
  } catch {
    return undefined;
  }
}
