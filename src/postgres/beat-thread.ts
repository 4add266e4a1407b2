/**
 * The heartbeat, on a thread and a connection of its own: a handler that holds up the event loop for a minute loses no lease. It renews, and tells the
 * process what it found; it decides nothing.
 */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../core/index.ts";
import { Connection } from "./connection.ts";
import type { PostgresConnection } from "./driver.ts";
import { postgresLimits as limits } from "./limits.ts";
import { reasonOf } from "./trouble.ts";

export interface BeatOptions {
  readonly target: Omit<PostgresConnection, "password">;
  /** The password is asked of the process at every connect. */
  readonly asks: boolean;
  readonly schema: string;
  readonly pooled: boolean;
  readonly epoch: number;
  readonly leaseMs: number;
}

export type ToBeat =
  | { readonly kind: "epoch"; readonly epoch: number }
  | { readonly kind: "password"; readonly password: string };

export type FromBeat =
  /** `over`: processes whose lease is over. Empty in the first beat of a connection: after a restart of the server the others must renew first. */
  | { readonly kind: "beat"; readonly epoch: number; readonly alive: boolean; readonly over: readonly number[] }
  | { readonly kind: "silent"; readonly reason: string }
  | { readonly kind: "ask" };

const port = parentPort;
if (port === null) throw new Error("The heartbeat runs in a worker thread.");
const options = workerData as BeatOptions;
let epoch = options.epoch;
let fresh = true;
let answered: ((password: string) => void) | undefined;

port.on("message", (message: ToBeat) => {
  if (message.kind === "epoch") epoch = message.epoch;
  else answered?.(message.password);
});

const connection = new Connection({
  target: {
    ...options.target,
    ...(options.asks
      ? {
          password: () =>
            new Promise<string>((resolve) => {
              answered = resolve;
              tell({ kind: "ask" });
            }),
        }
      : undefined),
  },
  name: "tensile heartbeat",
  schema: options.schema,
  pooled: options.pooled,
  onBroken: () => (fresh = true),
});

async function beat(): Promise<void> {
  const own = epoch;
  try {
    const [row] = await connection.run<{ alive: boolean; over: number[] }>(
      "SELECT alive, over FROM tensile.beat($1, $2)",
      [own, options.leaseMs],
    );
    tell({ kind: "beat", epoch: own, alive: row?.alive === true, over: fresh ? [] : (row?.over ?? []) });
    fresh = false;
    systemClock.setTimer(options.leaseMs / limits.leaseBeats, () => void beat(), true);
  } catch (error) {
    fresh = true;
    tell({ kind: "silent", reason: reasonOf(error) });
    systemClock.setTimer(limits.reconnectLeastMs * 4, () => void beat(), true);
  }
}

function tell(message: FromBeat): void {
  port?.postMessage(message);
}

void beat();
