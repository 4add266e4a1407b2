/** Known ways to make two HTTP readers disagree, as data: each with the engine's verdict and where it comes from. */
import { chunks } from "./vectors/chunks.ts";
import { desync } from "./vectors/desync.ts";
import { framing } from "./vectors/framing.ts";
import { host } from "./vectors/host.ts";
import { lines } from "./vectors/lines.ts";
import { persistence } from "./vectors/persistence.ts";
import { requestLine } from "./vectors/request-line.ts";
import { transferEncoding } from "./vectors/transfer-encoding.ts";
import type { Vector } from "./vectors/vector.ts";

export const vectors: readonly Vector[] = [
  ...framing,
  ...transferEncoding,
  ...chunks,
  ...lines,
  ...requestLine,
  ...host,
  ...persistence,
  ...desync,
];
