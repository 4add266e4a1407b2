/** Loads what multipart forms need, by a dynamic import: it needs Node, and everything else here does not. */
import type { Contract, UploadOptions } from "../../contract/index.ts";
import type { MultipartReader } from "./upload.ts";

/** Undefined where no operation takes a multipart form. Rejects with a TypeError that says what to install. */
export async function loadUploads(
  contract: Contract,
  options: UploadOptions = {},
): Promise<MultipartReader | undefined> {
  if (!contract.operations.some(({ options: { body } }) => body?.kind === "multipart")) return undefined;
  const { multipartReader } = await import("./multipart.ts");
  return multipartReader(options);
}
