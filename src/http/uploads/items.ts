/** NDJSON in: bytes to decoded items, one at a time, each of bounded size. https://github.com/ndjson/ndjson-spec */
import { joinBytes } from "../../core/index.ts";
import { InvalidInput, PayloadTooLarge, type Body } from "../../contract/index.ts";
import { BodyError } from "../../exchange/index.ts";
import { compileReader, type Invalid } from "../../schema/index.ts";

type Items = (source: AsyncIterator<Uint8Array>) => AsyncIterable<unknown>;

export function itemsOf({ item, maxItemBytes }: Extract<Body, { kind: "items" }>): Items {
  const codec = compileReader(item, { limits: { maxTextLength: maxItemBytes } });
  return async function* decoded(source) {
    let number = 0;
    for await (const line of lines(source, maxItemBytes)) {
      // The format lets a reader skip empty lines.
      if (isBlank(line)) continue;
      const value = await codec.parseJson(line);
      if (!value.ok) throw new BodyError(wrongItem(number, value.fault));
      yield value.value;
      number++;
    }
  };
}

function wrongItem(number: number, { issues }: Invalid): ReturnType<typeof InvalidInput> {
  return InvalidInput({
    issues: issues.map(({ pointer, code, message }) => ({ pointer: `/${number}${pointer}`, code, message })),
  });
}

const newline = 10;

/** Without their ends. The last one may lack its end. */
async function* lines(source: AsyncIterator<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = [];
  let size = 0;
  const keep = (piece: Uint8Array): void => {
    size += piece.length;
    if (size > limit) throw new BodyError(PayloadTooLarge({ limit }, `An item is larger than ${limit} bytes.`));
    begun.push(piece);
  };
  const line = (): Uint8Array => {
    const whole = begun.length === 1 ? (begun[0] as Uint8Array) : joinBytes(begun, size);
    begun = [];
    size = 0;
    return whole;
  };
  try {
    for (let step = await source.next(); step.done !== true; step = await source.next()) {
      const bytes = step.value;
      let from = 0;
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, from)) {
        keep(bytes.subarray(from, end));
        yield line();
        from = end + 1;
      }
      if (from < bytes.length) keep(bytes.subarray(from));
    }
    if (size > 0) yield line();
  } finally {
    await source.return?.();
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 32 || byte === 9 || byte === 13);
}
