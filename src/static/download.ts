/** One file as an attachment, for a route of one's own. */
import { basename } from "node:path";
import { systemClock, type Clock } from "../core/index.ts";
import type { HttpRequest, HttpResponse } from "../http/index.ts";
import { answerFile } from "./answer-file.ts";
import { contentTypeOf } from "./content-type.ts";
import { attachment } from "./disposition.ts";
import { filesBusy, notFound } from "./faults.ts";
import { OpenFiles } from "./open-file.ts";

export interface DownloadOptions {
  /** What the client is told to call the file; any text is safe. Default: the last segment of the path. */
  readonly name?: string;
  /** Default: by the extension of the name. */
  readonly contentType?: string;
  /** Default `private, no-cache`. */
  readonly cacheControl?: string;
  /** For tests. Default: the system clock. */
  readonly clock?: Clock;
}

/** Of the whole process, beside those of static folders. Over it 503. */
const downloads = new OpenFiles(1024);

/**
 * Answers with the file at `path`: ranges, conditions and HEAD as in a static folder; 404 where there is no regular file. Whether
 * this client may have it is for the caller to decide, and so is the path: never put text of a request into it.
 *
 * @example
 * const report: ExtraRoute = {
 *   method: "GET",
 *   path: "/reports/latest",
 *   handle: (request) => download(request, "/srv/reports/4711.pdf", { name: "Übersicht.pdf" }),
 * };
 */
export async function download(
  request: HttpRequest,
  path: string,
  options: DownloadOptions = {},
): Promise<HttpResponse> {
  const { name = basename(path), contentType = contentTypeOf(name), cacheControl = "private, no-cache" } = options;
  const file = await downloads.open(path, undefined);
  if (typeof file === "string") return file === "busy" ? filesBusy() : notFound();
  const { clock = systemClock } = options;
  return answerFile(request, file, { contentType, cacheControl, disposition: attachment(name) }, clock.now());
}
