/** The text of an answer's head. Every string here is Latin-1: one character per byte, so that head and body can be one write. */
import type { HeaderBlock } from "../../exchange/index.ts";
import { latin1Text } from "./latin1.ts";
import { refusals, type Refusal } from "./refusal.ts";

const reasons: { readonly [status: number]: string } = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  507: "Insufficient Storage",
  511: "Network Authentication Required",
};

/** By status minus 200. The space after the code must stay where there is no reason phrase (RFC 9112 section 4). */
const statusLines: readonly string[] = Array.from(
  { length: 400 },
  (_, i) => `HTTP/1.1 ${i + 200} ${reasons[i + 200] ?? ""}\r\n`,
);

export const continueText = "HTTP/1.1 100 Continue\r\n\r\n";

export function isStatus(status: unknown): boolean {
  return typeof status === "number" && statusLines[status - 200] !== undefined;
}

/** RFC 9110 section 6.4.1: these statuses never have content, whatever the handler gave. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}

let lastStatus = 0;
let lastHeaders: HeaderBlock | undefined;
let lastDate = "";
let lastText = "";
let isFlat = false;

/**
 * Status line and fields, without the fields that frame the body and without the empty line. `date` is a whole header line.
 * Most answers of one second have the same head, so the last one is kept: in one piece, which costs less to copy than three.
 */
export function headText(status: number, headers: HeaderBlock, date: string): string {
  if (status === lastStatus && headers === lastHeaders && date === lastDate) {
    if (!isFlat) lastText = flattened(lastText);
    isFlat = true;
    return lastText;
  }
  isFlat = false;
  const text = (statusLines[status - 200] as string) + headers.wire + date;
  lastStatus = status;
  lastHeaders = headers;
  lastDate = date;
  return (lastText = text);
}

function flattened(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  return latin1Text(bytes, 0, bytes.length);
}

export function refusalText(reason: Refusal, date: string): string {
  const { status, detail } = refusals[reason];
  return problemText(status, detail, date, "");
}

/** For a handler that threw, rejected or gave no valid response: says nothing about why. */
export function internalErrorText(date: string): string {
  return problemText(500, "The server failed to answer this request.", date, "");
}

/** For a connection over the limit. */
export function busyText(date: string): string {
  return problemText(503, "This server has no connection to spare.", date, "retry-after: 1\r\n");
}

/** An RFC 9457 body. ASCII. */
export function problemBody(status: number, detail: string): string {
  return JSON.stringify({ type: "about:blank", title: reasons[status], status, detail });
}

/** A whole answer that closes the connection, with an RFC 9457 body. */
function problemText(status: number, detail: string, date: string, fields: string): string {
  const body = problemBody(status, detail);
  return `${statusLines[status - 200]}content-type: application/problem+json\r\n${fields}${date}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
