/** The two media questions that an API of JSON has to answer: can I read this, and may I answer as I do? */

const jsonPattern = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

/** `application/json`, in UTF-8 if it says so. */
export function isJson(contentType: string): boolean {
  return contentType === "application/json" || jsonPattern.test(contentType);
}

const ourTypes = ["*/*", "application/*", "application/json", "application/problem+json"];
const zeroPattern = /;\s*q=0(?:\.0{0,3})?\s*(?:,|$)/i;

/** Whether an Accept field lets us answer JSON. False only when it leaves no way for either of our types (RFC 9110 section 12.5.1). */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === "*/*" || accept === "application/json") return true;
  const ranges = accept.toLowerCase();
  if (!zeroPattern.test(ranges)) return ranges.trim() === "" || ourTypes.some((type) => ranges.includes(type));
  return acceptsType(ranges, "application/json") || acceptsType(ranges, "application/problem+json");
}

/** With a `q=0` in it, the most specific range decides. */
function acceptsType(ranges: string, type: string): boolean {
  let best = -1;
  let accepted = false;
  for (const range of ranges.split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim());
    const weight = name === type ? 2 : name === "application/*" ? 1 : name === "*/*" ? 0 : -1;
    if (weight <= best) continue;
    best = weight;
    accepted = !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
  }
  return accepted;
}
