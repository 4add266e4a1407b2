/**
 * Who may open a WebSocket from a page. A browser sends cookies with a handshake to any origin and no CORS stands in the way, so a
 * foreign page could talk with the visitor's rights: cross-site WebSocket hijacking. The Origin field says which page it is.
 */

/** `same`: pages of the host that they connect to. A list: these origins as well. `any`: every page, for APIs without cookies. */
export type AllowedOrigins = "same" | "any" | readonly string[];

/** What is no browser sends no Origin, and is let in: it has no visitor whose cookies it could use. */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: AllowedOrigins,
): boolean {
  if (origin === undefined || allowed === "any") return true;
  if (allowed !== "same" && allowed.includes(origin)) return true;
  return isSameHost(origin, host);
}

/** By host and port: a proxy in front may speak TLS where this process does not. */
function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: from } = new URL(origin);
  const to = `${protocol}//${host}`;
  // An opaque origin ("null") cannot be parsed; one without a host ("file://") is nobody's.
  return from !== "" && URL.canParse(to) && new URL(to).host === from;
}

/** @throws TypeError for what is no origin, such as one with a path: it would never match. */
export function checkOrigins(allowed: AllowedOrigins): void {
  if (typeof allowed === "string") {
    if (allowed === "same" || allowed === "any") return;
    throw new TypeError(`webSocket.origins is "same", "any" or a list of origins, not "${String(allowed)}".`);
  }
  for (const origin of allowed) {
    if (origin !== "null" && !(URL.canParse(origin) && new URL(origin).origin === origin))
      throw new TypeError(
        `webSocket.origins: "${origin}" is not an origin. Write scheme, host and port alone: "https://app.example.org".`,
      );
  }
}
