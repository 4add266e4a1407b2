/** What an app's HTTP side needs from packages that are not always there: formats beside JSON, multipart forms. */
import type { Implemented } from "../contract/index.ts";
import { loadFormats, loadUploads, type HttpHandlerOptions } from "../http/index.ts";

export type WireParts = Pick<HttpHandlerOptions, "formats" | "multipart">;

/** Rejects with a TypeError that says what to install. */
export async function loadWireParts({ contract, formats, uploads }: Implemented): Promise<WireParts> {
  const multipart = await loadUploads(contract, uploads);
  return { formats: await loadFormats(formats), ...(multipart === undefined ? {} : { multipart }) };
}
