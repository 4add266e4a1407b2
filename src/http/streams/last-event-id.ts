/** After which item a client comes back. */
import { isStreamId, lastEventIdKey } from "../../contract/index.ts";

/**
 * Where the client comes back to: the header that EventSource sends when it reconnects, or, for a client that can set none (a new
 * EventSource, a WebSocket), a query parameter. What is no id of ours is dropped: the stream begins at its beginning.
 */
export function takeLastEventId(
  query: string,
  header: string | undefined,
): { readonly rest: string; readonly lastEventId: string | undefined } {
  const prefix = `${lastEventIdKey}=`;
  let given = header;
  let rest = query;
  if (query.includes(prefix)) {
    const pairs = query.split("&");
    const own = pairs.find((pair) => pair.startsWith(prefix));
    rest = pairs.filter((pair) => !pair.startsWith(prefix)).join("&");
    given ??= own === undefined ? undefined : decoded(own.slice(prefix.length));
  }
  return { rest, lastEventId: isStreamId(given) ? given : undefined };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
