/** What the handlers of the `overload` benchmark do: the same for every system. */

/** About 2 ms of one core: a page that is rendered, a document that is signed. */
export function render(id: number): { readonly id: number; readonly mark: number } {
  let state = id | 1;
  for (let i = 0; i < 1_500_000; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return { id, mark: state >>> 0 };
}

const poolSize = 10;
const queryMs = 20;
let free = poolSize;
const waiting: (() => void)[] = [];

/** A query over a pool of 10 connections, 20 ms each: 500 in a second, and a queue in front of them. */
export async function lookUp(id: number): Promise<{ readonly id: number; readonly mark: number }> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  await new Promise((resolve) => setTimeout(resolve, queryMs));
  const next = waiting.shift();
  if (next === undefined) free++;
  else next();
  return { id, mark: id * 7 };
}
