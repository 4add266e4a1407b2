/** Admission for a server: the gate with the process's clock, and what it has to say as events. */
import type { Clock } from "../core/index.ts";
import { OverloadGate, resolveOverloadLimits, type OverloadLimits, type Shed } from "../http/index.ts";
import type { Events } from "../telemetry/index.ts";

/** Milliseconds between two `overload` events while it lasts: a line of log each. */
const tellEveryMs = 10_000;

/** @throws TypeError for a limit out of its range. */
export function overloadGate(limits: Partial<OverloadLimits> | undefined, clock: Clock, events: Events): OverloadGate {
  let toldAt = -Infinity;
  let refused = 0;
  const onShed = (shed: Shed): void => {
    refused++;
    const now = clock.monotonic();
    if (now - toldAt < tellEveryMs) return;
    toldAt = now;
    const { inFlight, inFlightLimit, loopTurnMs } = gate.stats();
    events.emit("overload", { reason: shed.reason, refused, inFlight, inFlightLimit, loopTurnMs });
    refused = 0;
  };
  const gate: OverloadGate = new OverloadGate({ limits: resolveOverloadLimits(limits), clock, onShed });
  return gate;
}
