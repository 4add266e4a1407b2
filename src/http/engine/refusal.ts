/**
 * Every reason for which the engine itself refuses a request, with its status: one table, so that the parser names a reason,
 * the connection writes it, and docs/http.md can be held against it. A refusal always closes the connection: after bytes
 * that could be read in two ways, nothing that follows can be trusted (RFC 9112 section 11.2).
 */
interface RefusalRow {
  readonly status: 400 | 408 | 413 | 414 | 417 | 431 | 501 | 505;
  /** Goes to the client as the problem's `detail`. A constant: nothing of the request is echoed. */
  readonly detail: string;
}

export const refusals = Object.freeze({
  bad_method: row(400, "The method is not a token."),
  unknown_method: row(501, "This method is not implemented."),
  bad_target: row(
    400,
    "The request target is not a path that starts with a slash, an absolute http URI, or * for OPTIONS.",
  ),
  target_too_long: row(414, "The request target is too long."),
  bad_version: row(400, "The request line does not end with an HTTP version and CRLF."),
  unknown_version: row(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here."),
  head_too_large: row(431, "The request head is too large."),
  too_many_headers: row(431, "The request has too many header lines."),
  folded_header: row(400, "A header line starts with white space (obsolete line folding)."),
  bad_header_name: row(400, "A header name is empty, or not a token directly followed by a colon."),
  bad_header_value: row(400, "A header value holds a control character."),
  bad_line_end: row(400, "A line does not end with CRLF."),
  missing_host: row(400, "An HTTP/1.1 request needs one Host header."),
  repeated_host: row(400, "There is more than one Host header."),
  bad_host: row(400, "The Host header is not a host with an optional port."),
  host_mismatch: row(400, "The host of the request target is not the one in the Host header."),
  bad_content_length: row(400, "Content-Length is not one non-negative decimal number."),
  repeated_content_length: row(400, "There is more than one Content-Length header."),
  body_too_large: row(413, "The request body is larger than this server accepts."),
  length_and_encoding: row(400, "Content-Length and Transfer-Encoding exclude each other."),
  repeated_transfer_encoding: row(400, "There is more than one transfer coding."),
  unknown_transfer_encoding: row(501, "The only transfer coding understood here is chunked."),
  encoding_in_http10: row(400, "HTTP/1.0 has no transfer codings."),
  unknown_expectation: row(417, "The only expectation understood here is 100-continue."),
  incomplete_head: row(400, "The connection ended inside a request head."),
  head_timeout: row(408, "The request head did not arrive in time."),
});

export type Refusal = keyof typeof refusals;

function row(status: RefusalRow["status"], detail: string): RefusalRow {
  return Object.freeze({ status, detail });
}
