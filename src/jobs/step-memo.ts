/**
 * What a step gave, as the text that is kept: `["value", …]`, `["ok", …]` for a Result's value, `["fault", attempt, …]`. A fault holds for its attempt.
 */
import { Err, Fault, Ok, type Kind } from "../core/index.ts";
import type { Codec } from "../schema/index.ts";
import { jsonText } from "./flow-json.ts";
import { utf8Bytes } from "./job-codec.ts";

/** This file wrote it. */
interface KeptFault {
  readonly code: string;
  readonly kind: Kind;
  readonly message: string;
}

type AnyCodec = Codec<unknown, unknown>;

/** Throws a TypeError for what cannot be kept. */
export function stepMemo(
  where: string,
  given: unknown,
  attempt: number,
  codec: AnyCodec | undefined,
  mostBytes: number,
): string {
  const text =
    given instanceof Err ? faultMemo(where, given.fault as unknown, attempt) : valueMemo(where, given, codec);
  const bytes = utf8Bytes(text, mostBytes);
  if (bytes <= mostBytes) return text;
  throw new TypeError(
    `${where} gave ${bytes} bytes as JSON, at most ${mostBytes} are kept. Store the data and return its key.`,
  );
}

/** What the step gives in this run; undefined: it runs again. Throws a TypeError where the schema does not take the kept value any more. */
export async function readMemo(
  where: string,
  text: string,
  attempt: number,
  codec: AnyCodec | undefined,
): Promise<{ readonly value: unknown } | undefined> {
  const [kind, first, fault, data] = JSON.parse(text) as [string, unknown, KeptFault, unknown];
  if (kind === "fault") return first === attempt ? { value: new Err(faultOf(fault, data)) } : undefined;
  if (kind !== "value" && kind !== "ok") return undefined;
  const value = codec === undefined ? first : await decoded(where, first, codec);
  return { value: kind === "ok" ? new Ok(value) : value };
}

/** In place of a fault that must not be given again. */
export const forgotten = '["forgotten"]';

function valueMemo(where: string, given: unknown, codec: AnyCodec | undefined): string {
  const kind = given instanceof Ok ? "ok" : "value";
  const value: unknown = given instanceof Ok ? given.value : given;
  if (codec === undefined) {
    const text = jsonText(where, value);
    return text === undefined ? `["${kind}"]` : `["${kind}",${text}]`;
  }
  const written = codec.serialize(value);
  if (written.ok) return `["${kind}",${written.value}]`;
  throw new TypeError(`${where}: what it gave does not fit its schema: ${written.fault.message}`);
}

async function decoded(where: string, value: unknown, codec: AnyCodec): Promise<unknown> {
  const read = await codec.parse(value);
  if (read.ok) return read.value;
  throw new TypeError(`${where}: what was kept does not fit its schema any more: ${read.fault.message}`);
}

function faultMemo(where: string, fault: unknown, attempt: number): string {
  if (!isFault(fault))
    throw new TypeError(`${where} gave err(…) with something that is no fault. Declare one: fault("CODE", { kind }).`);
  const { code, kind, message, data } = fault;
  return `["fault",${attempt},${JSON.stringify({ code, kind, message })},${jsonText(where, data) ?? "null"}]`;
}

function isFault(value: unknown): value is Fault {
  return value instanceof Fault;
}

function faultOf({ code, kind, message }: KeptFault, data: unknown): Fault {
  return new Fault(code, kind, data, message);
}
