/** Loads the HTTP/1.1 engine, which needs Node: by a dynamic import, so that everything else of this folder runs without it. */
export async function loadEngine(): Promise<typeof import("./engine/index.ts")> {
  return import("./engine/index.ts");
}
