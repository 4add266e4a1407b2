/**
 * The one kind table. A fault names a kind; every protocol reads its own status from the same row, so that HTTP, gRPC and
 * GraphQL can never disagree about one failure.
 *
 * Sources: RFC 9110 section 15 (HTTP), https://grpc.io/docs/guides/status-codes/ (gRPC).
 */
export interface KindRow {
  /** HTTP status code. */
  readonly http: number;
  /** gRPC status code, 0 to 16. */
  readonly grpc: number;
  /** `extensions.code` of a GraphQL error. */
  readonly graphql: string;
  /** Whether the same call may succeed when it is repeated unchanged. */
  readonly retryable: boolean;
  /** RFC 9457 `title`: the same for every occurrence of the kind. */
  readonly title: string;
}

export const kinds = Object.freeze({
  invalid_argument: row(400, 3, "BAD_USER_INPUT", false, "Invalid argument"),
  unauthenticated: row(401, 16, "UNAUTHENTICATED", false, "Not authenticated"),
  permission_denied: row(403, 7, "FORBIDDEN", false, "Permission denied"),
  not_found: row(404, 5, "NOT_FOUND", false, "Not found"),
  method_not_allowed: row(405, 12, "METHOD_NOT_ALLOWED", false, "Method not allowed"),
  not_acceptable: row(406, 3, "NOT_ACCEPTABLE", false, "Not acceptable"),
  request_timeout: row(408, 4, "REQUEST_TIMEOUT", true, "Request timeout"),
  conflict: row(409, 10, "CONFLICT", false, "Conflict"),
  already_exists: row(409, 6, "ALREADY_EXISTS", false, "Already exists"),
  gone: row(410, 5, "GONE", false, "Gone"),
  failed_precondition: row(412, 9, "FAILED_PRECONDITION", false, "Failed precondition"),
  too_large: row(413, 8, "TOO_LARGE", false, "Too large"),
  unsupported_media_type: row(415, 3, "UNSUPPORTED_MEDIA_TYPE", false, "Unsupported media type"),
  out_of_range: row(416, 11, "OUT_OF_RANGE", false, "Out of range"),
  unprocessable: row(422, 3, "UNPROCESSABLE", false, "Unprocessable"),
  resource_exhausted: row(429, 8, "RESOURCE_EXHAUSTED", true, "Resource exhausted"),
  cancelled: row(499, 1, "CANCELLED", false, "Cancelled"),
  internal: row(500, 13, "INTERNAL_SERVER_ERROR", false, "Internal error"),
  data_loss: row(500, 15, "DATA_LOSS", false, "Data loss"),
  unimplemented: row(501, 12, "UNIMPLEMENTED", false, "Unimplemented"),
  unavailable: row(503, 14, "UNAVAILABLE", true, "Unavailable"),
  deadline_exceeded: row(504, 4, "DEADLINE_EXCEEDED", true, "Deadline exceeded"),
});

export type Kind = keyof typeof kinds;

function row(http: number, grpc: number, graphql: string, retryable: boolean, title: string): KindRow {
  return Object.freeze({ http, grpc, graphql, retryable, title });
}
