/**
 * A payload as bytes, with the context of its job in front where it has one. The two rest and move as one, so that nothing of the
 * store but the two ends knows of contexts.
 *
 *   without:  payload (UTF-8)
 *   with:     u8 0xff, u16 length, context (UTF-8), payload (UTF-8)
 *
 * The byte 0xff is in no UTF-8 text.
 */
export const contextMark = 0xff;

interface Payload {
  readonly payload: string;
  readonly context?: string;
}

export function writePayload({ payload, context }: Payload): Buffer {
  if (context === undefined) return Buffer.from(payload, "utf8");
  const head = Buffer.from(context, "utf8");
  const bytes = Buffer.allocUnsafe(3 + head.length + Buffer.byteLength(payload));
  bytes[0] = contextMark;
  bytes.writeUInt16LE(head.length, 1);
  bytes.set(head, 3);
  bytes.write(payload, 3 + head.length);
  return bytes;
}

/** Reads what `writePayload` wrote. */
export function readPayload(bytes: Buffer): Payload {
  if (bytes[0] !== contextMark) return { payload: bytes.toString("utf8") };
  const end = 3 + bytes.readUInt16LE(1);
  return { payload: bytes.toString("utf8", end), context: bytes.toString("utf8", 3, end) };
}
