/** Loads the HTTP/1.1 engine, which needs Node: by a dynamic import, so that everything else of this folder runs without it. */
import type * as engine from "./engine/index.ts";

export async function loadEngine(): Promise<typeof engine> {
  return import("./engine/index.ts");
}
