/** What ends a body: Content-Length, and Content-Length beside Transfer-Encoding. */
import { get, post, smuggled, rows } from "./vector.ts";

export const framing = rows([
  [
    "CL.TE",
    "RFC 9112 6.3; PortSwigger, HTTP Desync Attacks 2019",
    `${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
    0,
    400,
  ],
  [
    "TE.CL",
    "RFC 9112 6.3; PortSwigger 2019",
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n`,
    0,
    400,
  ],
  ["CL.CL, different", "RFC 9112 6.3", `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`, 0, 400],
  ["CL.CL, equal", "RFC 9112 6.3 allows refusing", `${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 0, 400],
  ["Content-Length as a list", "RFC 9110 8.6", `${post}Content-Length: 3, 3\r\n\r\nabc`, 0, 400],
  ["Content-Length with plus", "RFC 9110 8.6", `${post}Content-Length: +3\r\n\r\nabc`, 0, 400],
  ["Content-Length negative", "RFC 9110 8.6", `${post}Content-Length: -1\r\n\r\nabc`, 0, 400],
  ["Content-Length with inner space", "CVE-2018-7159 (Node)", `${post}Content-Length: 1 2\r\n\r\nabcabcabcabc`, 0, 400],
  ["Content-Length in hexadecimal", "RFC 9110 8.6", `${post}Content-Length: 0x3\r\n\r\nabc`, 0, 400],
  ["Content-Length with exponent", "RFC 9110 8.6", `${post}Content-Length: 1e1\r\n\r\nabc`, 0, 400],
  ["Content-Length empty", "RFC 9110 8.6", `${post}Content-Length:\r\n\r\nabc`, 0, 400],
  ["Content-Length after vertical tab", "PortSwigger 2019", `${post}Content-Length:\x0b3\r\n\r\nabc`, 0, 400],
  [
    "Content-Length beyond 64 bits",
    "RFC 9110 8.6: overflow",
    `${post}Content-Length: 18446744073709551619\r\n\r\nabc`,
    0,
    413,
  ],
  ["Content-Length over the ceiling", "RFC 9110 15.5.14", `${post}Content-Length: 99999999999\r\n\r\n`, 0, 413],
  ["Content-Length with leading zero", "RFC 9110 8.6: 1*DIGIT", `${post}Content-Length: 03\r\n\r\nabc`, 1, null],
  [
    "the body's end is where the next request starts",
    "RFC 9112 6.3",
    `${post}Content-Length: 3\r\n\r\nabc${get}\r\n`,
    2,
    null,
  ],
  [
    "a request inside a body is body",
    "RFC 9112 6.3",
    `${post}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    1,
    null,
  ],
  ["a body on GET is body", "RFC 9110 9.3.1; GET-body desync", `${get}Content-Length: 3\r\n\r\nabc${get}\r\n`, 2, null],
]);
