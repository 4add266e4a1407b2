/** Line ends, and the lines of header fields. */
import { get, rows } from "./vector.ts";

export const lines = rows([
  ["bare LF lines", "RFC 9112 2.2 allows either; refused", "GET / HTTP/1.1\nHost: a\n\n", 0, 400],
  ["bare LF at the end of the head", "RFC 9112 2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n", 0, 400],
  ["bare CR as line end", "CVE-2023-30589 (Node)", "GET / HTTP/1.1\rHost: a\r\r", 0, 400],
  ["obsolete line folding", "RFC 9112 5.2", `${get}X: 1\r\n 2\r\n\r\n`, 0, 400],
  ["first header line starts with space", "RFC 9112 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 0, 400],
  ["space before the colon", "RFC 9112 5.1", `${get}X : 1\r\n\r\n`, 0, 400],
  ["empty header name", "RFC 9110 5.1", `${get}: 1\r\n\r\n`, 0, 400],
  ["header line without a colon", "RFC 9112 5", `${get}X\r\n\r\n`, 0, 400],
  ["NUL in a header value", "RFC 9110 5.5", `${get}X: \0\r\n\r\n`, 0, 400],
  ["DEL in a header value", "RFC 9110 5.5", `${get}X: \x7f\r\n\r\n`, 0, 400],
  ["NUL in a header name", "RFC 9110 5.1", `${get}X\0: 1\r\n\r\n`, 0, 400],
  ["non-ASCII in a header name", "RFC 9110 5.1", `${get}Content-Length\xa0: 3\r\n\r\n`, 0, 400],
  ["obs-text in a header value", "RFC 9110 5.5", `${get}X: \xe9\r\n\r\n`, 1, null],
  ["too many header lines", "RFC 6585 5", `${get}${"X: 1\r\n".repeat(100)}\r\n`, 0, 431],
  ["head too large", "RFC 6585 5", `${get}X: ${"a".repeat(16 * 1024)}\r\n\r\n`, 0, 431],
]);
