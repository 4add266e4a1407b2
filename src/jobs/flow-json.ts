/** The values of steps and of progress as JSON text: only what comes back from JSON as it went in, so that a later run reads what the first one had. */

const deepest = 100;

/** JSON text; undefined for undefined. Throws a TypeError that says where something is no JSON. */
export function jsonText(what: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  check(what, value, "", 0);
  return JSON.stringify(value);
}

function check(what: string, value: unknown, at: string, depth: number): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (depth > deepest) throw noJson(what, at, "nested deeper than 100 levels, or in a circle");
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) check(what, member, `${at}/${index}`, depth + 1);
    return;
  }
  if (typeof value !== "object") throw noJson(what, at, typeof value === "number" ? String(value) : typeof value);
  const type: unknown = Object.getPrototypeOf(value);
  if (type !== Object.prototype && type !== null)
    throw noJson(what, at, `an instance of ${(type as object).constructor.name}`);
  for (const [name, member] of Object.entries(value))
    if (member !== undefined) check(what, member, `${at}/${name}`, depth + 1);
}

function noJson(what: string, at: string, found: string): TypeError {
  const where = at === "" ? "" : ` at ${at}`;
  return new TypeError(
    `${what} is no JSON${where}: ${found}. Give plain values, or for a step a schema that says how to keep it: { output: t.… }.`,
  );
}
