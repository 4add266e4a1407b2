/** Which of the two forms of a stream a client gets: RFC 9110 section 12.5.1, for the media types that there are. */

export type StreamMedia = "sse" | "ndjson";

const mediaOf: { readonly [type: string]: StreamMedia } = {
  "text/event-stream": "sse",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
};

/** What a wildcard stands for. */
const byDefault: StreamMedia = "sse";

/** Undefined when the Accept field refuses both. Of two that weigh the same, the one that is named first. */
export function streamMedia(accept: string | undefined): StreamMedia | undefined {
  if (accept === undefined || accept.trim() === "") return byDefault;
  let best: StreamMedia | undefined;
  let bestWeight = 0;
  let bestNamed = false;
  for (const range of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim());
    const named = Object.hasOwn(mediaOf, name) ? mediaOf[name] : undefined;
    const media =
      named ?? (name === "*/*" || name === "text/*" ? byDefault : name === "application/*" ? "ndjson" : undefined);
    if (media === undefined) continue;
    const weight = weightOf(parameters);
    // A form that is named beats a wildcard of the same weight.
    if (weight > bestWeight || (weight === bestWeight && weight > 0 && named !== undefined && !bestNamed)) {
      best = media;
      bestWeight = weight;
      bestNamed = named !== undefined;
    }
  }
  return best;
}

/**
 * Whether a failure may be answered as a problem with its status. Not to one who takes a stream of events alone: an EventSource
 * gives up for good on any status but 200, so a failure that passes must reach it inside of a stream.
 */
export function takesProblems(accept: string | undefined): boolean {
  return accept === undefined || /\*\/\*|application\//i.test(accept);
}

function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameter)?.[1];
    if (weight !== undefined) return Number(weight);
  }
  return 1;
}
