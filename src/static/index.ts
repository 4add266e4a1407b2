/** Floor 4: `tensile/static`. Files over HTTP, as routes beside those of the contract. Needs Node. */
export { staticFolder, type StaticFolderOptions } from "./folder.ts";
export { download, type DownloadOptions } from "./download.ts";
// Named so that a module that exports routes can have declarations.
export type { ExtraRoute, HttpRequest, HttpResponse } from "../http/index.ts";
