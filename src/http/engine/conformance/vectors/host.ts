/** The Host field. */
import { get, rows } from "./vector.ts";

export const host = rows([
  ["no Host", "RFC 9112 3.2", "GET / HTTP/1.1\r\n\r\n", 0, 400],
  ["no Host in HTTP/1.0", "RFC 9112 3.2", "GET / HTTP/1.0\r\n\r\n", 1, null],
  ["two Hosts", "RFC 9112 3.2", `${get}Host: b\r\n\r\n`, 0, 400],
  ["two equal Hosts", "RFC 9112 3.2", `${get}Host: a\r\n\r\n`, 0, 400],
  ["empty Host", "RFC 9110 4.2.1", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, 400],
  ["Host with a path", "RFC 9110 7.2; cache poisoning", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, 400],
  ["Host with user info", "RFC 9110 7.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 0, 400],
  ["Host as a list", "RFC 9110 7.2", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0, 400],
  ["Host with a port too large", "RFC 9110 7.2", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 0, 400],
  ["Host as IPv6 with port", "RFC 9110 7.2", "GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n", 1, null],
]);
