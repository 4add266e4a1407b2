/** The Content-Type of a file by its extension. */
import mime from "mime";

/** Text is taken to be UTF-8; formats that say their encoding themselves (XML) or have only one (JSON) get no charset. */
export function contentTypeOf(name: string): string {
  const type = mime.getType(name) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}
