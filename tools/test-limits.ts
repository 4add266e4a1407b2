/** The tables of limits in the documents. */
import { readFileSync } from "node:fs";

/** Name and default of each row, in their order: the numbers may be written with thousands' commas. */
export function documentedLimits(document: string): readonly (readonly [string, number])[] {
  const text = readFileSync(new URL(`../docs/${document}`, import.meta.url), "utf8");
  return [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)].map(([, name = "", value = ""]) => [
    name,
    Number(value.replaceAll(",", "")),
  ]);
}
