/**
 * The failures that only HTTP knows: a path that leads nowhere, a body that cannot be read. Declared like all others, so that
 * problem documents, OpenAPI and the kind table treat them alike. Every code has a row in docs/errors.md.
 */
import { t } from "../schema/index.ts";
import { fault } from "./fault.ts";

export const RouteNotFound = fault("ROUTE_NOT_FOUND", {
  kind: "not_found",
  message: "Nothing is served under this path.",
});
export const MethodNotAllowed = fault("METHOD_NOT_ALLOWED", {
  kind: "method_not_allowed",
  data: { allow: t.array(t.string()) },
  message: ({ allow }) => `This path does not answer that method. It answers ${allow.join(", ")}.`,
});
export const NotAcceptable = fault("NOT_ACCEPTABLE", {
  kind: "not_acceptable",
  message: "The Accept header refuses every format that this API answers in; application/json is always one of them.",
});
export const UnsupportedMediaType = fault("UNSUPPORTED_MEDIA_TYPE", {
  kind: "unsupported_media_type",
  message: "Send the body as application/json in UTF-8, without a content-encoding.",
});
export const PayloadTooLarge = fault("PAYLOAD_TOO_LARGE", {
  kind: "too_large",
  data: { limit: t.int() },
  message: ({ limit }) => `The request body is larger than ${limit} bytes.`,
});
export const BadBody = fault("BAD_BODY", {
  kind: "invalid_argument",
  data: { reason: t.string() },
  message: ({ reason }) => `The request body cannot be read: ${reason}.`,
});
export const BodyTimeout = fault("BODY_TIMEOUT", {
  kind: "request_timeout",
  message: "The request body did not arrive in time.",
});
export const ClientGone = fault("CLIENT_GONE", {
  kind: "cancelled",
  message: "The client closed the connection before its request was complete.",
});

/** Of operations and files that look at If-Match; not every answer has it. */
export const PreconditionFailed = fault("PRECONDITION_FAILED", {
  kind: "failed_precondition",
  message: "This is not the version that If-Match or If-Unmodified-Since asks for.",
});

export const UploadStorageFull = fault("UPLOAD_STORAGE_FULL", {
  kind: "unavailable",
  message: "This server has no room on its disk for this upload now.",
});

/** What can break a streamed body off. */
export const bodyFaults = Object.freeze([
  PayloadTooLarge,
  BadBody,
  BodyTimeout,
  ClientGone,
  UploadStorageFull,
] as const);

/** Faults that an HTTP answer may carry beside those of the call itself. */
export const httpFaults = Object.freeze([
  RouteNotFound,
  MethodNotAllowed,
  NotAcceptable,
  UnsupportedMediaType,
  PayloadTooLarge,
  BadBody,
  BodyTimeout,
  ClientGone,
  UploadStorageFull,
] as const);
