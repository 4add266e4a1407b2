/** The load generator as a process of its own, so that it has a core of its own. */
import { announce } from "./child.ts";
import { type LoadPlan, type LoadReport, type LoadSession, openLoad } from "./load.ts";
import { type Measured, start } from "./processes.ts";

type Order =
  | { readonly do: "open"; readonly plan: LoadPlan }
  | { readonly do: "phase"; readonly ms: number }
  | { readonly do: "close" };

/** The generator as the harness sees it: one session at a time. */
export interface Generator {
  open(plan: LoadPlan): Promise<void>;
  phase(ms: number): Promise<LoadReport>;
  close(): Promise<void>;
  stop(): Promise<void>;
}

export async function startGenerator(core: number | undefined): Promise<Generator> {
  const child: Measured = await start("the load generator", import.meta.filename, core === undefined ? {} : { core });
  const order = (order: Order): Promise<unknown> => child.order(order);
  return {
    open: async (plan) => void (await order({ do: "open", plan })),
    phase: async (ms) => (await order({ do: "phase", ms })) as LoadReport,
    close: async () => void (await order({ do: "close" })),
    stop: () => child.stop(),
  };
}

if (import.meta.main) {
  let session: LoadSession | undefined;
  announce("load", async (message) => {
    const order = message as Order;
    if (order.do === "phase") return await session?.phase(order.ms);
    session?.close();
    session = order.do === "open" ? await openLoad(order.plan) : undefined;
    return undefined;
  });
}
