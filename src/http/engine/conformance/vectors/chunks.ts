/** Chunked bodies. The handler meets these as BAD_BODY and answers 400 itself. */
import { get, chunked, rows } from "./vector.ts";

export const chunks = rows([
  ["chunk size with 0x", "RFC 9112 7.1", `${chunked}0x3\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk size with plus", "RFC 9112 7.1", `${chunked}+3\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk size negative", "RFC 9112 7.1", `${chunked}-3\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk size with space after", "Funky chunks 2025 (w4ke.info)", `${chunked}3 \r\nabc\r\n0\r\n\r\n`, 0, 400],
  [
    "chunk size that wraps 64 bits",
    "RFC 9112 7.1: overflow",
    `${chunked}10000000000000003\r\nabc\r\n0\r\n\r\n`,
    0,
    400,
  ],
  ["chunk size empty", "RFC 9112 7.1", `${chunked}\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk size line ended by LF", "Funky chunks TERM.EXT", `${chunked}3\nabc\r\n0\r\n\r\n`, 0, 400],
  ["LF inside a chunk extension", "Funky chunks TERM.EXT", `${chunked}3;\nx\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["CR inside a chunk extension", "Funky chunks EXT.TERM", `${chunked}3;a\rX\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk extension without a name", "Funky chunks", `${chunked}3;\r\nabc\r\n0\r\n\r\n`, 0, 400],
  ["chunk extension, well formed", "RFC 9112 7.1.1", `${chunked}3;a;b=c;d="e\\"f"\r\nabc\r\n0\r\n\r\n`, 1, null],
  [
    "chunk extension too long",
    "CVE-2024-22019 (Node), CVE-2023-39326 (Go)",
    `${chunked}3;${"a".repeat(1025)}\r\nabc\r\n0\r\n\r\n`,
    0,
    400,
  ],
  [
    "chunk extensions too long together",
    "CVE-2024-22019 (Node)",
    `${chunked}${`1;${"a".repeat(99)}\r\nx\r\n`.repeat(11)}0\r\n\r\n`,
    0,
    400,
  ],
  ["chunk data longer than its size", "Funky chunks TERM.SPILL", `${chunked}3\r\nabcXX0\r\n\r\n`, 0, 400],
  ["chunk data not ended by CRLF", "RFC 9112 7.1", `${chunked}3\r\nabc\n0\r\n\r\n`, 0, 400],
  ["trailer section ended by LF", "Funky chunks", `${chunked}0\r\n\n`, 0, 400],
  ["trailer that frames", "RFC 9110 6.5.1", `${chunked}0\r\nContent-Length: 3\r\n\r\n`, 0, 400],
  ["trailer folded", "RFC 9112 5.2", `${chunked}0\r\nX: 1\r\n 2\r\n\r\n`, 0, 400],
  ["trailer well formed", "RFC 9112 7.1.2", `${chunked}0\r\nX-Sum: 1\r\n\r\n${get}\r\n`, 2, null],
  ["trailer too long", "RFC 9112 7.1.2: bounded", `${chunked}0\r\nX: ${"a".repeat(5000)}\r\n\r\n`, 0, 400],
]);
