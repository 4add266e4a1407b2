/**
 * Reads answers of HTTP/1.1 off a connection, one request in flight. Lean, because it shares a core with the rest of the
 * generator: an answer that arrives in one piece is looked at where it lies; only a split one is copied together.
 */
export interface Answer {
  readonly status: number;
  readonly bodyLength: number;
  readonly contentType: string;
  /** The server says that it closes the connection. */
  readonly closes: boolean;
  /** Valid until the next read. */
  body(): Buffer;
}

export interface AnswerReader {
  /** Takes the first `length` bytes of `buffer`; gives the answer once it is whole. Throws on what is not an answer. */
  read(buffer: Buffer, length: number): Answer | undefined;
}

export function answerReader(): AnswerReader {
  let kept: Buffer | undefined;
  return {
    read(buffer, length) {
      const piece = buffer.subarray(0, length);
      const bytes = kept === undefined ? piece : Buffer.concat([kept, piece]);
      const answer = parse(bytes);
      kept = answer === undefined ? Buffer.from(bytes) : undefined;
      return answer;
    },
  };
}

const headEnd = "\r\n\r\n";

function parse(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(headEnd, 0, "latin1");
  if (end === -1) return undefined;
  const head = bytes.toString("latin1", 0, end + 2);
  if (!head.startsWith("HTTP/1.1 ")) throw new Error(`not an HTTP/1.1 answer: ${head.slice(0, 40)}`);
  const bodyAt = end + headEnd.length;
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const frame =
    declared === undefined ? chunkedFrame(bytes, bodyAt, head) : wholeFrame(bytes, bodyAt, Number(declared));
  if (frame === undefined || frame.end > bytes.length) return undefined;
  if (frame.end < bytes.length) throw new Error("more bytes than one answer has");
  return {
    status: Number(head.slice(9, 12)),
    bodyLength: frame.length,
    get contentType() {
      return /\r\ncontent-type: *([^\r]*)/i.exec(head)?.[1] ?? "";
    },
    closes: /\r\nconnection: *close/i.test(head),
    body: frame.body,
  };
}

interface Frame {
  readonly length: number;
  /** Where the answer ends in the bytes. */
  readonly end: number;
  readonly body: () => Buffer;
}

function wholeFrame(bytes: Buffer, at: number, length: number): Frame {
  return { length, end: at + length, body: () => bytes.subarray(at, at + length) };
}

function chunkedFrame(bytes: Buffer, bodyAt: number, head: string): Frame | undefined {
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error("an answer without a length");
  const pieces: Buffer[] = [];
  for (let at = bodyAt; ;) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error("a chunk without a size");
    const next = lineEnd + 2 + size + 2;
    if (next > bytes.length) return undefined;
    if (size === 0) {
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      return { length, end: next, body: () => Buffer.concat(pieces) };
    }
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
