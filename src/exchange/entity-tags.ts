/** Entity tags in conditional requests (RFC 9110 sections 8.8.3 and 13.1). */

/**
 * Whether the value of If-Match or If-None-Match names `tag`, which is written with its quotes: `"v1"`, `W/"v1"`. `*` names every tag;
 * what is malformed names none. `strong`: equal bytes are meant, so a weak tag equals nothing; `weak`: equal meaning is enough.
 */
export function namesTag(list: string, tag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  const tags: readonly string[] = list.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  if (comparison === "strong") return !tag.startsWith("W/") && tags.includes(tag);
  const opaque = opaqueOf(tag);
  return tags.some((each) => opaqueOf(each) === opaque);
}

function opaqueOf(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}
