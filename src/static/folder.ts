/**
 * A folder of files as routes.
 *
 *   path of the URL -> safe segments -> resolved below the root, opened -> folder? its index, or a redirect to it
 *                   -> precompressed sibling that the client takes -> conditions and ranges -> answer
 */
import { realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock, type Clock } from "../core/index.ts";
import { HeaderBlock, type ExtraRoute, type HttpRequest, type HttpResponse } from "../http/index.ts";
import { answerFile } from "./answer-file.ts";
import { acceptedCodings } from "./codings.ts";
import { contentTypeOf } from "./content-type.ts";
import { filesBusy, notFound } from "./faults.ts";
import { OpenFiles, type OpenFile, type Opened } from "./open-file.ts";
import { safeSegments } from "./safe-path.ts";

export interface StaticFolderOptions {
  /** Where the folder appears, such as `/assets`. Default `/`: then every path that no other route answers is looked up in it. */
  readonly path?: string;
  /** The Cache-Control of its files. Default `no-cache`: kept, and asked for again each time, which costs a 304. */
  readonly cacheControl?: string;
  /** Files whose name changes with their content: sent with `public, max-age=31536000, immutable`. Gets the path below the folder. */
  readonly immutable?: (path: string) => boolean;
  /** Sends `app.js.br`, `.zst` or `.gz` in place of `app.js` to clients that take it. Default false: a look-up that costs. */
  readonly precompressed?: boolean;
  /** The file that stands for a folder. Default `index.html`; false: none. */
  readonly index?: string | false;
  /** A Content-Type by the path below the folder, in place of the one by extension; undefined leaves that. */
  readonly contentType?: (path: string) => string | undefined;
  /** Files open at once; over it 503 with Retry-After. Default 1024. */
  readonly openFiles?: number;
  /** For tests. Default: the system clock. */
  readonly clock?: Clock;
}

/**
 * Serves the files of `root` (a path, from the working directory) to GET and HEAD, to everybody. Dotfiles, special files and
 * links that lead out of it are 404, as is what is not there; folders are never listed. `root` is resolved once, now.
 *
 * @throws TypeError when `root` is not a folder, or an option is wrong.
 * @example
 * await serve(app, { routes: staticFolder("public", { path: "/assets" }) });
 */
export function staticFolder(root: string, options: StaticFolderOptions = {}): readonly ExtraRoute[] {
  const { path = "/" } = options;
  if (!path.startsWith("/") || /[{}]/.test(path))
    throw new TypeError(`staticFolder: path is "${path}". Write it plainly and from the root: "/assets".`);
  const base = path.endsWith("/") ? path : `${path}/`;
  const folder = new StaticFolder(folderAt(root), options);
  const routes: ExtraRoute[] = [
    { method: "GET", path: `${base}{*file}`, handle: (request, [file = ""]) => folder.answer(request, file) },
    { method: "GET", path: base, handle: (request) => folder.answer(request, "") },
  ];
  const bare = base.slice(0, -1);
  if (bare !== "") routes.push({ method: "GET", path: bare, handle: (request) => folder.redirect(request, bare) });
  return routes;
}

function folderAt(root: string): string {
  try {
    const real = realpathSync(resolve(root));
    if (statSync(real).isDirectory()) return real;
  } catch {
    // Said below.
  }
  throw new TypeError(`staticFolder: there is no folder "${resolve(root)}". Make it, or mend the path.`);
}

const immutableControl = "public, max-age=31536000, immutable";

class StaticFolder {
  readonly #root: string;
  readonly #options: StaticFolderOptions;
  readonly #files: OpenFiles;
  readonly #clock: Clock;
  readonly #index: string | false;

  constructor(root: string, options: StaticFolderOptions) {
    this.#root = root;
    this.#options = options;
    this.#files = new OpenFiles(options.openFiles ?? 1024);
    this.#clock = options.clock ?? systemClock;
    this.#index = options.index ?? "index.html";
    if (this.#index !== false && (this.#index === "" || safeSegments(this.#index, windows)?.length !== 1))
      throw new TypeError(`staticFolder: index is "${this.#index}". Give the name of a file: "index.html".`);
    // A value that HTTP cannot carry is found now, not by the first client.
    void new HeaderBlock(["cache-control", options.cacheControl ?? ""]);
  }

  async answer(request: HttpRequest, path: string): Promise<HttpResponse> {
    const segments = safeSegments(path, windows);
    if (segments === undefined) return notFound();
    const wantsFolder = segments.at(-1) === "";
    if (wantsFolder && this.#index === false) return notFound();
    const name = wantsFolder ? `${path}${this.#index}` : path;
    const opened = await this.#open(name);
    if (opened === "folder" && !wantsFolder) return this.#redirectToIndex(request, path);
    if (typeof opened === "string") return opened === "busy" ? filesBusy() : notFound();
    return this.#send(request, name, opened);
  }

  /** To the same path with a slash at its end. Relative, so that it holds behind a proxy that cuts a prefix off. */
  redirect(request: HttpRequest, path: string): HttpResponse {
    const last = encodeURIComponent(path.slice(path.lastIndexOf("/") + 1));
    const mark = request.target.indexOf("?");
    const query = mark === -1 ? "" : request.target.slice(mark);
    const headers = new HeaderBlock(["location", `./${last}/${query}`, "cache-control", "no-cache"]);
    return { status: 308, headers, body: null };
  }

  /** Only where there is one: nobody learns which folders exist. */
  async #redirectToIndex(request: HttpRequest, path: string): Promise<HttpResponse> {
    const opened = this.#index === false ? "missing" : await this.#open(`${path}/${this.#index}`);
    if (typeof opened === "string") return opened === "busy" ? filesBusy() : notFound();
    await opened.close();
    return this.redirect(request, path);
  }

  async #send(request: HttpRequest, name: string, original: OpenFile): Promise<HttpResponse> {
    const { precompressed = false, cacheControl = "no-cache", immutable, contentType } = this.#options;
    let file = original;
    let coding: string | undefined;
    let presentation;
    try {
      if (precompressed) ({ file, coding } = await this.#compressed(request, name, original));
      presentation = {
        contentType: contentType?.(name) ?? contentTypeOf(name),
        cacheControl: immutable?.(name) === true ? immutableControl : cacheControl,
        varies: precompressed,
        ...(coding !== undefined && { coding }),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
    return answerFile(request, file, presentation, this.#clock.now());
  }

  /** The first sibling that is there, in the order the client likes them; else the original. */
  async #compressed(
    request: HttpRequest,
    name: string,
    original: OpenFile,
  ): Promise<{ readonly file: OpenFile; readonly coding: string | undefined }> {
    for (const coding of acceptedCodings(request.header("accept-encoding"))) {
      const opened = await this.#open(name + coding.suffix);
      if (typeof opened === "string") continue;
      await original.close();
      return { file: opened, coding: coding.name };
    }
    return { file: original, coding: undefined };
  }

  #open(name: string): Promise<Opened> {
    return this.#files.open(join(this.#root, name), this.#root);
  }
}

const windows = process.platform === "win32";
