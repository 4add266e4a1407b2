/** Byte streams that are nearly HTTP: built from parts that readers are known to disagree on, then mutated. Reproducible by seed. */
import type { EngineLimits } from "../limits.ts";

/** A small generator of uniform numbers (mulberry32): the same seed gives the same stream on every machine. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * `Connection: upgrade` is missing on purpose: together with Upgrade it makes llhttp stop at the end of that message, a tunnel
 * that this engine never opens (it ignores Upgrade, as RFC 9110 section 7.8 allows).
 */
const usual = {
  method: ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "QUERY"],
  target: ["/", "/a", "/a?b=c", "/%00", "/a//b/../c"],
  version: ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"],
  line: ["\r\n"],
  header: [
    "Accept: */*",
    "X-A:1",
    "X-Empty:",
    "x-tab:\ta\tb\t",
    "Cookie: a=b",
    "cookie: c",
    "Connection: keep-alive",
    "Connection: close",
    "X-Obs: \xe9\xff",
    "Expect: 100-continue",
    "Content-Type: text/plain",
    "Upgrade: websocket",
  ],
  host: ["Host: a", "host: localhost:8080", "HOST:[::1]:1", "Host: a.b\t"],
};
const odd = {
  method: ["get", "CONNECT", "TRACE", "PRI", "FOO", "G\x00T", "", "GET\t", "SEARCH", "M-SEARCH", "SOURCE"],
  target: [
    "*",
    "http://a/x",
    "http://A?y",
    "HTTP://a",
    "https://a/",
    "//a/b",
    "a",
    "a:80",
    "/a#b",
    "/\xe9",
    "/a b",
    "",
    "/\x7f",
    "/\x01",
    "http://b/",
    "http://a@b/",
    '/^{|}`"<>\\',
  ],
  version: [
    "HTTP/1.2",
    "HTTP/2.0",
    "HTTP/0.9",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/11",
    "HTTP/1.10",
    "HTTP/1,1",
    "ICE/1.0",
    "RTSP/1.0",
    "",
  ],
  line: ["\n", "\r", "\r\r\n", "\n\r", " \r\n", "\r\n\r\n", "\0\r\n"],
  header: [
    " folded: 1",
    "\tfolded",
    "X : 1",
    "X\t: 1",
    ": empty",
    "no colon",
    "X:\x00",
    "X: a\rb",
    "X: a\nb",
    "X: \x7f",
    "(X): 1",
    "\xe9: 1",
    "X-\x00: 1",
    "Expect: 200-ok",
    "Expect: 100-continue, x",
    "Upgrade: h2c",
    "Connection: Transfer-Encoding",
    "Proxy-Connection: close",
    "HTTP2-Settings: a",
    "X: 1\r\n 2",
    "Content\xadLength: 3",
    "Content_Length: 3",
    "Connection:",
    "Connection: ,close",
    "Connection: close\tx",
  ],
  host: [
    "Host: a\r\nHost: a",
    "Host: a, b",
    "Host:",
    "Host: a b",
    "Host: a/b",
    "Host: @",
    "",
    "Host : a",
    "Host: a:b",
    "Host: [::1",
    "Host: é",
  ],
  length: [
    "Content-Length: +3",
    "Content-Length: -1",
    "Content-Length: 3, 3",
    "Content-Length: 3\r\nContent-Length: 3",
    "Content-Length: 0x3",
    "Content-Length: 3 ",
    "Content-Length: 03",
    "Content-Length: ",
    "Content-Length: 3 4",
    "Content-Length: 99999999999999999999",
    "Content-Length: 1e1",
    "Content-Length:\x0b3",
    "Content-Length: 3;",
    "Content-Length: ٣",
    "Content-Length : 3",
    "Content-Length: 18446744073709551619",
    "Content-Length: 1_0",
    "content-length:\t3\t",
  ],
  coding: [
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding:chunked ",
    "Transfer-Encoding : chunked",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding:\r\n chunked",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Content-Length: 3\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding:",
    "Transfer-encoding: cow\r\nTransfer-encoding: chunked",
  ],
  chunk: [
    "3;a\r\nabc\r\n",
    "3;a=b\r\nabc\r\n",
    '3;a="q\\""\r\nabc\r\n',
    "3 ;a\r\nabc\r\n",
    "3; a\r\nabc\r\n",
    "3;\r\nabc\r\n",
    "0x3\r\nabc\r\n",
    "+3\r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "3\r\nabc",
    "3\r\nabcd\r\n",
    "\r\n3\r\nabc\r\n",
    "3\r\r\nabc\r\n",
    "FFFFFFFFFFFFFFFF3\r\nabc\r\n",
    "00000003\r\nabc\r\n",
    "000000000003\r\nabc\r\n",
    "3\r\nabc\r\r\n",
    " 3\r\nabc\r\n",
    "3;a\nb\r\nabc\r\n",
    "3;a\rX\r\nabc\r\n",
    "3;a=b=c\r\nabc\r\n",
    '3;a"b\r\nabc\r\n',
    "G\r\n",
    "-3\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3\t\r\nabc\r\n",
    '3;a="\x7f"\r\nabc\r\n',
    '3;a="\xe9"\r\nabc\r\n',
    "3;=b\r\nabc\r\n",
    "3;a=\r\nabc\r\n",
    "3;a;b;c\r\nabc\r\n",
  ],
  last: [
    "0\r\n\r\n\r\n",
    "0\r\n",
    "0\r\nX: 1\r\n\r\n",
    "0\r\nContent-Length: 3\r\n\r\n",
    "0\r\n X\r\n\r\n",
    "0\n\n",
    "0\r\nX\r\n\r\n",
    "0;a\r\n\r\n",
    "00\r\n\r\n",
    "0\r\nX:\x00\r\n\r\n",
    "0\r\nX: 1\n\r\n",
    "0\r\n:\r\n\r\n",
    "0 \r\n\r\n",
  ],
};

/** One to four messages in a row, most of them nearly right. */
export function generateStream(random: () => number): Buffer {
  const messages = 1 + Math.floor(random() * 4);
  let text = random() < 0.03 ? pick(random, ["\r\n", "\n", "\r\n\r\n", "\r", " "]) : "";
  for (let i = 0; i < messages; i++) text += generateMessage(random);
  let bytes: Buffer = Buffer.from(text, "latin1");
  for (let mutations = random() < 0.5 ? Math.floor(random() * 4) : 0; mutations > 0; mutations--)
    bytes = mutate(bytes, random);
  return bytes;
}

/** Mostly the defaults; else so narrow that the streams above meet them. */
export function generateLimits(random: () => number): Partial<EngineLimits> {
  if (random() < 0.7) return {};
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  return {
    headBytes: 64 + upTo(150),
    targetBytes: 1 + upTo(20),
    headerCount: 1 + upTo(5),
    bodyBytes: upTo(40),
    streamBytes: 0,
    chunkExtensionBytes: upTo(6),
    trailerBytes: upTo(10),
    pipelineDepth: 1 + upTo(2),
    stashBytes: upTo(60),
  };
}

function generateMessage(random: () => number): string {
  /** How often a part is taken from the odd ones: some messages are clean, some full of trouble. */
  const trouble = pick(random, [0, 0, 0.03, 0.1, 0.3]);
  const part = <K extends keyof typeof usual>(kind: K): string =>
    pick(random, random() < trouble ? odd[kind] : usual[kind]);
  const lines = [part("host")];
  while (random() < 0.5) lines.splice(Math.floor(random() * (lines.length + 1)), 0, part("header"));
  let body = "";
  const framing = random();
  if (framing < 0.3) {
    body = "abc\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".slice(0, Math.floor(random() * 42));
    lines.push(random() < trouble ? pick(random, odd.length) : `Content-Length: ${body.length}`);
  } else if (framing < 0.65) {
    lines.push(random() < trouble ? pick(random, odd.coding) : "Transfer-Encoding: chunked");
    while (random() < 0.6)
      body +=
        random() < trouble
          ? pick(random, odd.chunk)
          : pick(random, ["3\r\nabc\r\n", "a\r\n0123456789\r\n", "02\r\n\r\n\r\n", "1;x=y\r\nz\r\n"]);
    body += random() < trouble ? pick(random, odd.last) : "0\r\n\r\n";
  } else if (random() < trouble) lines.push(pick(random, [...odd.length, ...odd.coding]));
  let text = `${part("method")} ${part("target")} ${part("version")}${part("line")}`;
  for (const line of lines) text += line + part("line");
  return `${text}${part("line")}${body}`;
}

const specials = [0, 9, 10, 11, 13, 32, 34, 35, 44, 48, 58, 59, 61, 127, 128, 173, 255];

function mutate(bytes: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * bytes.length);
  const length = 1 + Math.floor(random() * 8);
  const special = Buffer.from([pick(random, specials)]);
  switch (Math.floor(random() * 5)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), special, bytes.subarray(at)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), special, bytes.subarray(at + 1)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
    default: {
      const flipped = Buffer.from(bytes);
      if (flipped.length > 0) flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random() * 8));
      return flipped;
    }
  }
}

/** The same bytes in random pieces. */
export function splitRandomly(bytes: Buffer, random: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  const longest = pick(random, [2, 8, 40, 200]);
  for (let at = 0; at < bytes.length;) {
    const next = at + 1 + Math.floor(random() * longest);
    pieces.push(bytes.subarray(at, next));
    at = next;
  }
  return pieces;
}

export function splitEverywhere(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}
