/** An open file and a request give the answer. Whatever it is, the file is closed once the answer is sent or given up. */
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../http/index.ts";
import { judge } from "./conditions.ts";
import { preconditionFailed, rangeNotSatisfiable } from "./faults.ts";
import { FileBody } from "./file-body.ts";
import type { OpenFile } from "./open-file.ts";
import { validatorsOf, type Validators } from "./validators.ts";

/** How a file is presented, apart from its bytes. */
export interface Presentation {
  readonly contentType: string;
  readonly cacheControl: string;
  /** Of the bytes in the file: `br`. */
  readonly coding?: string;
  /** Whether another request for the same path may get another coding. */
  readonly varies?: boolean;
  /** A whole Content-Disposition. */
  readonly disposition?: string;
}

/** Up to this many bytes are read at once, so that head and body are one write and no file waits for the client. */
const wholeBytes = 64 * 1024;

export async function answerFile(
  request: HttpRequest,
  file: OpenFile,
  presentation: Presentation,
  nowMs: number,
): Promise<HttpResponse> {
  let keep = false;
  try {
    const validators = validatorsOf(file.size, file.mtimeNs, presentation.coding, nowMs);
    const verdict = judge(request, file.size, validators);
    if (verdict.send === "precondition_failed") return preconditionFailed();
    if (verdict.send === "range_not_satisfiable") return rangeNotSatisfiable(file.size);
    const shared = sharedHeaders(validators, presentation);
    if (verdict.send === "not_modified") return { status: 304, headers: new HeaderBlock(shared), body: null };
    const { start, length } = verdict.send === "part" ? verdict : { start: 0, length: file.size };
    const headers = new HeaderBlock([...contentHeaders(presentation), ...shared]);
    const answer =
      verdict.send === "part"
        ? { status: 206, headers: headers.with("content-range", `bytes ${start}-${start + length - 1}/${file.size}`) }
        : { status: 200, headers };
    if (request.method === "HEAD") return { ...answer, body: null, length };
    if (length <= wholeBytes) {
      const body = await file.read(start, length);
      // Shrunk since it was opened: the stream of it tells the client that it is not whole.
      if (body.length === length) return { ...answer, body };
    }
    keep = true;
    return { ...answer, body: new FileBody(file, start, length), length };
  } finally {
    if (!keep) await file.close();
  }
}

/** Fields that a 304 has too (RFC 9110 section 15.4.5). */
function sharedHeaders({ etag, lastModified }: Validators, { cacheControl, varies }: Presentation): string[] {
  const fields = ["cache-control", cacheControl];
  if (etag !== undefined) fields.push("etag", etag);
  if (lastModified !== undefined) fields.push("last-modified", lastModified);
  if (varies === true) fields.push("vary", "accept-encoding");
  return fields;
}

function contentHeaders({ contentType, coding, disposition }: Presentation): string[] {
  const fields = ["content-type", contentType, "x-content-type-options", "nosniff", "accept-ranges", "bytes"];
  if (coding !== undefined) fields.push("content-encoding", coding);
  if (disposition !== undefined) fields.push("content-disposition", disposition);
  return fields;
}
