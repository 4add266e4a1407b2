/**
 * What Ctrl-C and an orchestrator's stop mean: the first signal drains, a second one ends the process at once.
 */
export type StopSignal = "SIGINT" | "SIGTERM";

/** Calls `stop` on the first of `signals`. Returns the function that takes the listeners down again. */
export function onStopSignal(signals: readonly StopSignal[], stop: (signal: StopSignal) => void): () => void {
  let asked = false;
  const listener = (signal: StopSignal): void => {
    // 128 + the signal's number is what shells report for a process that a signal ended.
    if (asked) process.exit(signal === "SIGINT" ? 130 : 143);
    asked = true;
    stop(signal);
  };
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
