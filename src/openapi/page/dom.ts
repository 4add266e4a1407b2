/**
 * The docs page's script is made of the functions in this folder: they are written and checked here like all other code, and
 * their text is what the browser gets (script.ts). So they may use one another and the browser, and nothing else.
 */

/** The parts of an OpenAPI document that the page reads. */
export interface PageDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: PageOperation } };
  readonly components: {
    readonly schemas: { readonly [name: string]: PageSchema };
    readonly responses: { readonly [name: string]: PageResponse };
  };
}
export interface PageOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly deprecated?: boolean;
  readonly tags?: readonly string[];
  readonly parameters?: readonly PageParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: PageContent };
  readonly responses: { readonly [status: string]: PageResponse };
  readonly security: readonly { readonly [scheme: string]: readonly string[] }[];
}
export interface PageParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description?: string;
  readonly required: boolean;
  readonly deprecated?: boolean;
  readonly schema: PageSchema;
}
export interface PageResponse {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: PageContent;
}
export type PageContent = { readonly [type: string]: { readonly schema: PageSchema } };
export type PageSchema = { readonly [keyword: string]: unknown };

/** One operation and where it stands. */
export interface Listed {
  readonly method: string;
  readonly path: string;
  readonly operation: PageOperation;
}

/** An element. Only text and elements go in: the page never parses HTML out of a document. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: { readonly [name: string]: string | boolean | undefined },
  ...children: readonly (Node | string | undefined)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

/** Text with `code` and **strong** in it: what descriptions mostly hold of Markdown. Blank lines divide paragraphs. */
export function prose(text: string): HTMLElement {
  const box = h("div", { class: "prose" });
  for (const paragraph of text.split(/\n{2,}/)) {
    const p = h("p", {});
    for (const piece of paragraph.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
      if (piece.startsWith("`") && piece.length > 2) p.append(h("code", {}, piece.slice(1, -1)));
      else if (piece.startsWith("**") && piece.length > 4) p.append(h("strong", {}, piece.slice(2, -2)));
      else p.append(piece);
    }
    box.append(p);
  }
  return box;
}

/** A `<details>` whose content is made when it is first opened: a large API opens fast, and a schema may hold itself. */
export function lazyDetails(
  attributes: { readonly [name: string]: string | boolean | undefined },
  summary: readonly (Node | string | undefined)[],
  content: () => readonly (Node | string | undefined)[],
): HTMLDetailsElement {
  const box = h("details", attributes, h("summary", {}, ...summary));
  let made = false;
  const make = (): void => {
    if (!box.open || made) return;
    made = true;
    for (const child of content()) if (child !== undefined) box.append(child);
  };
  box.addEventListener("toggle", make);
  make();
  return box;
}

/** What a `$ref` of the document means. */
export function resolve<T extends { readonly $ref?: unknown }>(api: PageDocument, value: T): T {
  if (typeof value.$ref !== "string") return value;
  let found: unknown = api;
  for (const part of value.$ref.slice(2).split("/")) found = (found as { readonly [key: string]: unknown })[part];
  return found as T;
}

/** The last part of a `$ref`. */
export function refName(value: { readonly $ref?: unknown }): string | undefined {
  return typeof value.$ref === "string" ? value.$ref.slice(value.$ref.lastIndexOf("/") + 1) : undefined;
}
