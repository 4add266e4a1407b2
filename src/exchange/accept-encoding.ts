/** Which content codings a client takes, best first (RFC 9110 section 12.5.3). */

/** Those that the client likes at least as much as the bytes as they are; in the given order where it does not care. */
export function acceptedCodings<C extends { readonly name: string }>(
  header: string | undefined,
  codings: readonly C[],
): readonly C[] {
  if (header === undefined) return [];
  const weights = weightsOf(header);
  const any = weights.get("*");
  const weightOf = ({ name }: C): number =>
    weights.get(name) ?? (name === "gzip" ? weights.get("x-gzip") : undefined) ?? any ?? 0;
  // Not named, identity is what is left when nothing else is there.
  const least = weights.get("identity") ?? 0;
  return codings
    .filter((coding) => weightOf(coding) > 0 && weightOf(coding) >= least)
    .toSorted((one, other) => weightOf(other) - weightOf(one));
}

function weightsOf(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const part of header.split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = parameters.find((text) => text.startsWith("q="))?.slice(2) ?? "1";
    // A weight that is none refuses: sending the bytes as they are is always right.
    weights.set(name, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0);
  }
  return weights;
}
