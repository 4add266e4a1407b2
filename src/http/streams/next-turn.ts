/** Lets other work of the process have its turn. */
import type { Clock } from "../../core/index.ts";

/** Continues after the event loop has seen its sockets. A timer of 0 ms costs a millisecond, so only where there is nothing better. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (immediate === undefined) clock.setTimer(0, resolve);
    else immediate(resolve);
  });
}

const { setImmediate: immediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown };
