/** How a call with an Idempotency-Key can be refused (draft-ietf-httpapi-idempotency-key-header-07, section 2.7). */
import { fault } from "../contract/index.ts";
import { t } from "../schema/index.ts";

export const IdempotencyKeyInvalid = fault("IDEMPOTENCY_KEY_INVALID", {
  kind: "invalid_argument",
  data: { reason: t.string() },
  message: ({ reason }) => `Idempotency-Key: ${reason}.`,
});
export const IdempotencyKeyReused = fault("IDEMPOTENCY_KEY_REUSED", {
  kind: "unprocessable",
  message: "This Idempotency-Key was used with another payload. Use a new key for each new call.",
});
export const IdempotencyInProgress = fault("IDEMPOTENCY_IN_PROGRESS", {
  kind: "conflict",
  data: { retryAfter: t.duration() },
  message: "A call with this Idempotency-Key is still running. Repeat it later for its answer.",
});
export const IdempotencyAnswerLost = fault("IDEMPOTENCY_ANSWER_LOST", {
  kind: "conflict",
  message: "The call with this Idempotency-Key was carried out, but its answer was too large to be kept.",
});

export const idempotencyFaults = Object.freeze([
  IdempotencyKeyInvalid,
  IdempotencyKeyReused,
  IdempotencyInProgress,
  IdempotencyAnswerLost,
] as const);
