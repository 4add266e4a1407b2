/** The content codings of files that lie beside their original. */
import { acceptedCodings as accepted } from "../exchange/index.ts";

/** In the order in which they win where the client does not care. */
const codings = Object.freeze([
  { name: "br", suffix: ".br" },
  { name: "zstd", suffix: ".zst" },
  { name: "gzip", suffix: ".gz" },
] as const);

export type Coding = (typeof codings)[number];

/** Codings that the client likes at least as much as the file as it is. */
export function acceptedCodings(header: string | undefined): readonly Coding[] {
  return accepted(header, codings);
}
