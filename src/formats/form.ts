/** Request bodies as HTML forms send them. */
import type { FormFormat } from "../schema/index.ts";

/**
 * `application/x-www-form-urlencoded` for request bodies whose fields are scalars and lists of scalars; a list is written by
 * repetition. The rules are those of a query (docs/rest.md). Answers stay in the other formats.
 *
 * A browser sends such a body to any site without asking first, cookies included: where cookies sign callers in, put
 * protection against CSRF in front.
 *
 * @example
 * const app = implement(atlas, { formats: [form()], handlers });
 */
export function form(): FormFormat {
  return formFormat;
}

const formFormat: FormFormat = Object.freeze({
  kind: "form",
  name: "forms",
  types: ["application/x-www-form-urlencoded"] as const,
});
