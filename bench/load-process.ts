/** The load generator as a process of its own, so that it has a core of its own. */
import { getPriority, setPriority } from "node:os";
import { announce } from "./child.ts";
import { type LoadPlan, type LoadReport, type LoadSession, openLoad } from "./load.ts";
import { type Measured, start } from "./processes.ts";

type Order =
  | { readonly do: "open"; readonly plan: LoadPlan }
  | { readonly do: "phase"; readonly ms: number }
  | { readonly do: "close" };

interface Announced {
  readonly nice: number;
}

/** The generator as the harness sees it: one session at a time. */
export interface Generator {
  open(plan: LoadPlan): Promise<void>;
  phase(ms: number): Promise<LoadReport>;
  close(): Promise<void>;
  stop(): Promise<void>;
  /** Its nice value: how the system ranks it, where it has no core of its own. */
  readonly nice: number;
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
    nice: (child.ready as Announced).nice,
  };
}

/**
 * It stands for clients on other machines: where it shares the processors with what it measures, it goes first, so that what it waits for a processor
 * itself is no part of a latency. Needs the right to (root, CAP_SYS_NICE); without it it waits like everybody.
 */
function goFirst(): void {
  try {
    setPriority(-10);
  } catch {
    // The result says so.
  }
}

if (import.meta.main) {
  if (process.argv[2] === "shares") goFirst();
  let session: LoadSession | undefined;
  announce({ nice: getPriority() } satisfies Announced, async (message) => {
    const order = message as Order;
    if (order.do === "phase") return await session?.phase(order.ms);
    session?.close();
    session = order.do === "open" ? await openLoad(order.plan) : undefined;
    return undefined;
  });
}
