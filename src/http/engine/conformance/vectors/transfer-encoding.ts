/** Transfer-Encoding that some reader takes for chunked and another does not. */
import { post, rows } from "./vector.ts";

export const transferEncoding = rows([
  [
    "TE with white space before the colon",
    "CVE-2019-16869 (Netty)",
    `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    0,
    400,
  ],
  ["TE after vertical tab", "PortSwigger 2019", `${post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`, 0, 400],
  ["TE xchunked", "PortSwigger 2019", `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 0, 501],
  [
    "TE chunked twice in one line",
    "RFC 9112 6.1",
    `${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    0,
    501,
  ],
  ["TE chunked, identity", "PortSwigger 2019", `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 0, 501],
  ["TE gzip, chunked", "RFC 9112 6.1: 501", `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 0, 501],
  [
    "TE identity",
    "RFC 9112 7 removed it",
    `${post}Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc`,
    0,
    501,
  ],
  [
    "TE twice",
    "PortSwigger 2019",
    `${post}Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    0,
    400,
  ],
  [
    "TE then cow",
    "PortSwigger 2019",
    `${post}Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n`,
    0,
    400,
  ],
  ["TE quoted", "RFC 9112 6.1", `${post}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, 0, 501],
  ["TE folded", "CVE-2022-32215 (Node)", `${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, 0, 501],
  ["TE with a parameter", "RFC 9112 7", `${post}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`, 0, 501],
  ["TE after a bare LF", "CVE-2022-32214 (Node)", `${post}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 0, 400],
  ["TE after a bare CR", "CVE-2023-30589 (Node)", `${post}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 0, 400],
  [
    "TE on HTTP/1.0",
    "RFC 9112 6.1",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    0,
    400,
  ],
  [
    "TE in capitals",
    "RFC 9110 5.1, 9112 7: case-insensitive",
    `${post}TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n`,
    1,
    null,
  ],
]);
