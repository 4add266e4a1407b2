/** Expectations, and which request follows. */
import { get, post, smuggled, rows } from "./vector.ts";

export const persistence = rows([
  [
    "Expect other than 100-continue",
    "RFC 9110 10.1.1",
    `${post}Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc`,
    0,
    417,
  ],
  ["Expect with a list", "RFC 9110 10.1.1", `${post}Expect: 100-continue, x\r\nContent-Length: 3\r\n\r\nabc`, 0, 417],
  [
    "Expect on GET without a body",
    "Expect-based desync, PortSwigger 2025",
    `${get}Expect: 100-continue\r\n\r\n${get}\r\n`,
    2,
    null,
  ],
  ["nothing is read after Connection: close", "RFC 9112 9.6", `${get}Connection: close\r\n\r\n${smuggled}`, 1, null],
  ["nothing is read after HTTP/1.0", "RFC 9112 9.3", `GET / HTTP/1.0\r\n\r\n${smuggled}`, 1, null],
  ["HTTP/1.0 with keep-alive", "RFC 9112 C.2.2", `GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${get}\r\n`, 2, null],
  [
    "Upgrade is ignored",
    "RFC 9110 7.8; h2c smuggling (Bishop Fox)",
    `${get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n${get}\r\n`,
    2,
    null,
  ],
]);
