/**
 * The parts of a multipart form in their order, as busboy finds them. What it lets pass and we do not is refused here: parts without
 * a name, transfer encodings, more parts than are allowed. The bytes of a file come as they are read, and nothing behind them before.
 *
 * Source: RFC 7578 (form-data), RFC 2046 section 5.1 (multipart).
 */
import type { Readable, Writable } from "node:stream";
import type Busboy from "busboy";
import { BadBody, type Body } from "../../contract/index.ts";
import { BodyError } from "../../exchange/index.ts";

export type MultipartSpec = Extract<Body, { kind: "multipart" }>;

export type Part =
  | { readonly kind: "field"; readonly name: string; readonly text: string }
  | {
      readonly kind: "file";
      readonly name: string;
      /** As the client says, without folders; undefined where it gives none. */
      readonly fileName: string | undefined;
      readonly contentType: string;
      readonly bytes: AsyncGenerator<Uint8Array>;
    };

/** Throws a BodyError. A file that is not read is skipped. */
export async function* readParts(
  busboy: typeof Busboy,
  source: AsyncIterator<Uint8Array>,
  contentType: string,
  spec: MultipartSpec,
): AsyncGenerator<Part> {
  const queue: { readonly part: Part; readonly stream: Readable | undefined }[] = [];
  const progress: { end: "none yet" | "complete" | Error; wake(): void } = { end: "none yet", wake: () => undefined };
  const parser = parserOf(busboy, contentType, spec);
  const finish = (end: "complete" | Error): void => {
    if (progress.end !== "none yet") return;
    progress.end = end;
    // So that whoever reads a file hears of it.
    if (end instanceof Error) parser.destroy(end);
    progress.wake();
  };
  parser.on("field", (name, text, { valueTruncated }) => {
    if (name === undefined) return finish(badForm("a part has no name"));
    if (valueTruncated) return finish(badForm(`a field is longer than ${spec.maxFieldBytes} bytes`));
    queue.push({ part: { kind: "field", name, text }, stream: undefined });
    progress.wake();
  });
  parser.on("file", (name, stream, { filename, encoding, mimeType }) => {
    // What breaks a file off is told by the parser, or was our own doing.
    stream.on("error", () => undefined);
    const wrong = name === undefined ? "a part has no name" : encodingFault(encoding);
    if (wrong !== undefined) return finish(badForm(wrong));
    const part: Part = {
      kind: "file",
      name,
      fileName: filename,
      contentType: mimeType.toLowerCase(),
      bytes: bytesOf(stream),
    };
    queue.push({ part, stream });
    progress.wake();
  });
  parser.on("fieldsLimit", () => finish(badForm(`it has more than ${spec.maxFields} fields`)));
  parser.on("filesLimit", () => finish(badForm(`it has more than ${mostFiles(spec)} files`)));
  parser.on("partsLimit", () => finish(badForm(`it has more than ${spec.maxFields + mostFiles(spec)} parts`)));
  parser.on("error", (error) => finish(badForm(reasonOf(error))));
  parser.on("close", () => finish("complete"));
  void feed(source, parser).catch((error: unknown) =>
    finish(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    for (;;) {
      const next = queue.shift();
      if (progress.end instanceof Error) throw progress.end;
      if (next !== undefined) {
        yield next.part;
        if (next.part.kind === "file") await next.part.bytes.return(undefined);
        next.stream?.resume();
      } else if (progress.end === "complete") return;
      else await new Promise<void>((resolve) => (progress.wake = resolve));
    }
  } finally {
    for (const { stream } of queue) stream?.resume();
    parser.destroy();
    await source.return?.();
  }
}

async function* bytesOf(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    // Not destroyed when its reader stops early: the parser goes on only when the file has been read to its end.
    for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece as Buffer;
  } catch (error) {
    throw error instanceof BodyError ? error : badForm(reasonOf(error));
  } finally {
    stream.resume();
  }
}

function parserOf(busboy: typeof Busboy, contentType: string, spec: MultipartSpec): Busboy.Busboy {
  const files = mostFiles(spec);
  // One byte more than is allowed: busboy calls a value truncated that has just the limit.
  const limits = { fieldSize: spec.maxFieldBytes + 1, fields: spec.maxFields, files, parts: spec.maxFields + files };
  try {
    return busboy({ headers: { "content-type": contentType }, limits, defParamCharset: "utf8" });
  } catch {
    throw badForm("its Content-Type names no boundary");
  }
}

function mostFiles({ files }: MultipartSpec): number {
  return [...files.values()].reduce((sum, { maxFiles = 1 }) => sum + maxFiles, 0);
}

/** One piece at a time, each when the one before is dealt with: an unread file stops the socket. */
async function feed(source: AsyncIterator<Uint8Array>, parser: Writable): Promise<void> {
  for (let step = await source.next(); step.done !== true; step = await source.next()) {
    const { value } = step;
    // After an error or a destroy the callback may never come; then nobody waits for this any more.
    await new Promise<void>((resolve) => void parser.write(value, () => resolve()));
    if (parser.destroyed) return;
  }
  parser.end();
}

function encodingFault(encoding: string): string | undefined {
  // RFC 7578 section 4.7: senders must not use others.
  return /^(?:7bit|8bit|binary)$/i.test(encoding) ? undefined : "a part has a content-transfer-encoding";
}

function badForm(reason: string): BodyError {
  return new BodyError(BadBody({ reason }));
}

/** busboy's own few sentences, without their punctuation. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  if (/unexpected end/i.test(text)) return "the form ends before its last boundary";
  return /header/i.test(text) ? "a part has a malformed header" : "the form is malformed";
}
