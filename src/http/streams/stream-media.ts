/**
 * A stream as text, in two forms.
 *
 * Server-Sent Events: WHATWG HTML section 9.2, https://html.spec.whatwg.org/multipage/server-sent-events.html
 * NDJSON: one JSON value in a line, https://github.com/ndjson/ndjson-spec
 */
import { HeaderBlock } from "../../exchange/index.ts";

/** How one form writes what happens in a stream. All JSON is one line. */
export interface StreamFormat {
  readonly headers: HeaderBlock;
  /** Before the first item. `retryMs`: after which time a client shall come back. */
  start(retryMs: number): string;
  item(json: string, id: string | undefined): string;
  /** A sign of life that readers skip. */
  heartbeat: string;
  /** There is no more, and no reason to come back. */
  end: string;
  /** `retryMs`: when the same stream may well work again; undefined: there is no reason to come back. */
  fault(problem: string, retryMs: number | undefined): string;
  /** This process ends the stream; the client shall come back. `problem` says so. */
  moved(problem: string): string;
}

/**
 * The id of the last event of a stream that is over for good. EventSource reconnects after every end, with this id in
 * `Last-Event-ID`; the answer is then 204, which is how the standard tells it to stop.
 */
export const endId = "tensile:end";

/** A proxy that gathers or compresses a stream would hold its items back; nginx reads the third. */
function streamHeaders(type: string): HeaderBlock {
  return new HeaderBlock(
    [
      ["content-type", type],
      ["cache-control", "no-store, no-transform"],
      ["x-accel-buffering", "no"],
      ["x-content-type-options", "nosniff"],
    ].flat(),
  );
}

export const sse: StreamFormat = {
  headers: streamHeaders("text/event-stream"),
  start: (retryMs) => `retry: ${retryMs}\n\n`,
  item: (json, id) => (id === undefined ? `data: ${json}\n\n` : `id: ${id}\ndata: ${json}\n\n`),
  heartbeat: ":\n\n",
  end: `event: end\nid: ${endId}\ndata: {}\n\n`,
  fault: (problem, retryMs) =>
    `event: fault\n${retryMs === undefined ? `id: ${endId}` : `retry: ${retryMs}`}\ndata: ${problem}\n\n`,
  // An end without a word is what EventSource comes back from.
  moved: () => "",
};

/** Lines are items alone, as tools expect them; so a stream that does not end well says so in a last line of its own kind. */
export const ndjson: StreamFormat = {
  headers: streamHeaders("application/x-ndjson"),
  start: () => "",
  item: (json) => `${json}\n`,
  heartbeat: "\n",
  end: "",
  fault: (problem) => `{"$fault":${problem}}\n`,
  moved: (problem) => `{"$fault":${problem}}\n`,
};
