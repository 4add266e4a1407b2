/** The load generator as a process of its own, so that it has a core of its own. */
import { spawnSync } from "node:child_process";
import { getPriority, setPriority } from "node:os";
import { announce } from "./child.ts";
import { type LoadPlan, type LoadReport, type LoadSession, openLoad } from "./load.ts";
import { type Measured, start } from "./processes.ts";

type Order =
  | { readonly do: "open"; readonly plan: LoadPlan }
  | { readonly do: "phase"; readonly ms: number }
  | { readonly do: "close" };

interface Announced {
  readonly scheduling: string;
}

/** The generator as the harness sees it: one session at a time. */
export interface Generator {
  open(plan: LoadPlan): Promise<void>;
  phase(ms: number): Promise<LoadReport>;
  close(): Promise<void>;
  stop(): Promise<void>;
  /** How the system ranks it, where it has no core of its own: `SCHED_FIFO`, or its nice value. */
  readonly scheduling: string;
}

export async function startGenerator(core: number | undefined): Promise<Generator> {
  const where = core === undefined ? { arguments: ["shares"] } : { core };
  const child: Measured = await start("the load generator", import.meta.filename, where);
  const order = (order: Order): Promise<unknown> => child.order(order);
  return {
    open: async (plan) => void (await order({ do: "open", plan })),
    phase: async (ms) => (await order({ do: "phase", ms })) as LoadReport,
    close: async () => void (await order({ do: "close" })),
    stop: () => child.stop(),
    scheduling: (child.ready as Announced).scheduling,
  };
}

/**
 * It stands for clients on other machines: where it shares the processors with what it measures, it goes first, so that what it waits for a processor
 * itself is no part of a latency. Needs the right to (root, CAP_SYS_NICE); without it it waits like everybody. A nice value alone does not make it go first: whoever has the processor
 * keeps it to the end of his time slice.
 */
function goFirst(): string {
  if (spawnSync("chrt", ["--fifo", "--pid", "1", String(process.pid)]).status === 0) return "SCHED_FIFO";
  try {
    setPriority(-10);
  } catch {
    // The result says so.
  }
  return niceness();
}

function niceness(): string {
  return `nice ${getPriority()}`;
}

if (import.meta.main) {
  const scheduling = process.argv[2] === "shares" ? goFirst() : niceness();
  let session: LoadSession | undefined;
  announce({ scheduling } satisfies Announced, async (message) => {
    const order = message as Order;
    if (order.do === "phase") return await session?.phase(order.ms);
    session?.close();
    session = order.do === "open" ? await openLoad(order.plan) : undefined;
    return undefined;
  });
}
