/**
 * How a call can fail between here and the operation. Declared like every other fault; each has a row in docs/errors.md.
 */
import { fault } from "../contract/index.ts";
import { t } from "../schema/index.ts";

/** No answer came: no connection, no name, a CORS refusal, a connection that broke off. `reason` is the platform's own text. */
export const NetworkError = fault("NETWORK_ERROR", {
  kind: "unavailable",
  data: { reason: t.string() },
  message: ({ reason }) => `The request got no answer: ${reason}`,
});
export const Timeout = fault("TIMEOUT", {
  kind: "deadline_exceeded",
  data: { timeoutMs: t.float() },
  message: ({ timeoutMs }) => `The call did not end within ${timeoutMs} ms.`,
});
export const Aborted = fault("ABORTED", { kind: "cancelled", message: "The call was aborted by its signal." });
/** Something answered, but not as the contract says: a proxy's page, another version of the API, a wrong URL. */
export const UnexpectedResponse = fault("UNEXPECTED_RESPONSE", {
  kind: "internal",
  data: {
    status: t.int32(),
    reason: t.string(),
    /** The code of a problem that the contract does not know. */
    code: t.optional(t.string()),
  },
  message: ({ status, reason }) => `Unexpected answer with status ${status}: ${reason}`,
});

export type TransportFault =
  | ReturnType<typeof NetworkError>
  | ReturnType<typeof Timeout>
  | ReturnType<typeof Aborted>
  | ReturnType<typeof UnexpectedResponse>;

const longestReason = 300;

/** Text from outside, short enough to keep. */
export function bounded(text: string): string {
  return text.length > longestReason ? `${text.slice(0, longestReason)}…` : text;
}
