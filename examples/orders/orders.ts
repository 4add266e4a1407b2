/** An order as jobs: steps that are done once, a wait for somebody's word, and a batch of parcels with a last word. */
import { contract, discard, fault, implement, job, t, type Result } from "tensile";

export const Declined = fault("DECLINED", { kind: "failed_precondition", data: { card: t.string() } });

export const order = job("order", {
  input: { id: t.int(), card: t.string(), parcels: t.int({ minimum: 1, maximum: 20 }), total: t.int() },
  output: { receipt: t.string(), batch: t.string() },
  faults: [Declined],
  retry: { on: { DECLINED: discard } },
  signals: { approved: { by: t.string() } },
});

export const packParcel = job("packParcel", {
  input: { order: t.int(), parcel: t.int() },
  output: { grams: t.int() },
  queue: "warehouse",
  key: ({ order: id }) => `order-${id}`,
  perKey: { concurrency: 2 },
});

export const handOver = job("handOver", {
  input: { order: t.int() },
  output: { parcels: t.int(), grams: t.int() },
  queue: "warehouse",
});

export const orders = contract(
  "orders.v1",
  { order, packParcel, handOver },
  { queues: { warehouse: { globalConcurrency: 10 } } },
);

/** What the outside world does, so that the example can be watched. `idempotencyKey`: a service that knows it charges once. */
export interface World {
  charge(card: string, total: number, idempotencyKey: string): Result<string, ReturnType<typeof Declined>>;
  say(line: string): void;
}

export function ordersApp(world: World) {
  return implement(orders, {
    handlers: {
      order: async function* ({ input, job: run, jobs }) {
        const { id, card, parcels, total } = input;
        const receipt = yield* await run.step("charge", ({ idempotencyKey }) =>
          world.charge(card, total, idempotencyKey),
        );
        if (total > 1_000) {
          world.say(`order ${id} waits for somebody to approve it`);
          const approved = await run.waitFor("approved", { timeout: "2d" });
          const by = approved.ok ? approved.value.by : "nobody said no in time";
          await run.step("note", () => world.say(`order ${id} approved: ${by}`));
        }
        const batch = await run.step("pack", async () => {
          const made = await jobs.batch(
            packParcel,
            Array.from({ length: parcels }, (_, parcel) => ({ order: id, parcel })),
            { job: handOver, input: { order: id } },
          );
          if (!made.ok) throw new Error(made.fault.message);
          return made.value.last.id;
        });
        return { receipt, batch };
      },
      packParcel: ({ input: { parcel } }) => ({ grams: 100 * (parcel + 1) }),
      handOver: async ({ input, job: run }) => {
        const packed = await run.parents(packParcel);
        const grams = packed.reduce((sum, { output }) => sum + (output?.grams ?? 0), 0);
        await run.step("courier", () =>
          world.say(`order ${input.order}: ${packed.length} parcels, ${grams} g handed over`),
        );
        return { parcels: packed.length, grams };
      },
    },
  });
}
