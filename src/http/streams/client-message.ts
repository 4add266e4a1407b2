/** What a client sent, or undefined when it is not of this protocol. */
import { isStreamId, type ClientMessage } from "../../contract/index.ts";

const mostStreams = 2_147_483_647;
const fields: { readonly [type: string]: readonly string[] } = {
  subscribe: ["type", "stream", "operation", "input", "lastEventId"],
  unsubscribe: ["type", "stream"],
};

export function readClientMessage(text: string): ClientMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null) return undefined;
  const { type, stream, operation, lastEventId } = message as { readonly [field: string]: unknown };
  const known = typeof type === "string" && Object.hasOwn(fields, type) ? fields[type] : undefined;
  if (known === undefined || !Object.keys(message).every((name) => known.includes(name))) return undefined;
  if (!Number.isInteger(stream) || (stream as number) < 0 || (stream as number) > mostStreams) return undefined;
  if (type === "subscribe") {
    if (typeof operation !== "string" || stream === 0) return undefined;
    if (lastEventId !== undefined && !isStreamId(lastEventId)) return undefined;
  }
  // Every field has been looked at but the input, which its operation checks.
  return message as ClientMessage;
}
