/** The id that a request brings along. */
import type { HttpRequest } from "../exchange/index.ts";

/** Visible ASCII, so that an id can go into headers and logs as it is. */
const sanePattern = /^[\x21-\x7e]{1,128}$/;

/** Undefined where it brings none, or one that is not sane. */
export function givenRequestId(request: HttpRequest): string | undefined {
  const given = request.header("x-request-id");
  return given !== undefined && sanePattern.test(given) ? given : undefined;
}
