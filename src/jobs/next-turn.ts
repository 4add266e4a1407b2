/**
 * Continues after the event loop has seen its sockets once. This is about order, not about time, so it is no business of the
 * Clock: a timer of 0 ms would cost a whole millisecond, and a microtask would let nobody else run.
 */
export function nextTurn(callback: () => void): void {
  setImmediate(callback);
}
