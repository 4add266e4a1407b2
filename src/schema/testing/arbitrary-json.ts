/** Random JSON values, and nearly right ones: what decoders are tried with. Needs fast-check, so it is not part of the schema's index.ts. */
import fc from "fast-check";

/** Field names that catch code which treats an object as a map: inherited, empty, index-like, not identifiers. */
export const fieldNames = [
  "",
  ...'id name a b constructor toString hasOwnProperty valueOf prototype x-y é 0 a"b'.split(" "),
];
export const mapKeys = [...fieldNames, "__proto__", "\u2028", "k1", "k2", "😀"];

/** Any value that JSON.parse could have made, with more than a fair share of what breaks decoders. */
export const arbitraryJson: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -0,
    1,
    1.5,
    -1,
    2 ** 31,
    -(2 ** 31),
    2 ** 53,
    1e300,
    "",
    "a",
    "true",
    "1",
    "0",
    "-0",
    "01",
    "1.50",
    "-0.0",
    "5s",
    "1.5s",
    "9223372036854775807",
    "9223372036854775808",
    "AA==",
    "AB==",
    "AAAA",
    "====",
    "2024-02-30T00:00:00Z",
    "2024-02-29T00:00:00.123456789+01:00",
    "\ud800",
  ),
  fc.jsonValue({ maxDepth: 2 }),
  fc
    .constantFrom('{"__proto__":1}', '{"constructor":{"prototype":1}}', "[]", "{}", "[{}]")
    .map((text) => JSON.parse(text) as unknown),
);

/** A value with one place replaced, removed or added: nearly right, which is where decoders go wrong. */
export function arbitraryMutation(wire: unknown): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      fc.array(fc.nat(20), { maxLength: 6 }),
      fc.constantFrom("replace", "remove", "add"),
      arbitraryJson,
      fc.constantFrom(...mapKeys, "extra"),
    )
    .map(([way, act, value, key]) => mutate(wire, way, act, value, key));
}

function mutate(
  wire: unknown,
  way: readonly number[],
  act: "replace" | "remove" | "add",
  value: unknown,
  key: string,
): unknown {
  if (typeof wire !== "object" || wire === null) return act === "replace" ? value : wire;
  const copy = (Array.isArray(wire) ? [...(wire as unknown[])] : Object.fromEntries(Object.entries(wire))) as Record<
    string,
    unknown
  >;
  const keys = Object.keys(copy);
  const [step, ...rest] = way;
  if (step === undefined || keys.length === 0) {
    if (act === "replace") return value;
    if (Array.isArray(copy)) copy[keys.length] = value;
    else if (act === "add" || keys.length === 0)
      Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true });
    else delete copy[keys[0] as string];
    return copy;
  }
  const at = keys[step % keys.length] as string;
  Object.defineProperty(copy, at, {
    value: mutate(copy[at], rest, act, value, key),
    enumerable: true,
    writable: true,
    configurable: true,
  });
  return copy;
}
