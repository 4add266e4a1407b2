/**
 * What the compiler says to somebody who gets the parts of a job wrong.
 */
import { t } from "../schema/index.ts";
import { contract, fault, implementContract, job, type Jobs } from "./index.ts";

declare const jobs: Jobs;

const order = job("order", {
  input: { id: t.int() },
  output: { by: t.string() },
  signals: { approved: { by: t.string() } },
});
const plain = job("plain", { input: { id: t.int() }, output: { bytes: t.int() } });
const shop = contract("shop.v1", { order, plain });
const Declined = fault("DECLINED", { kind: "conflict" });

implementContract(shop, {
  handlers: {
    order: async function* ({ job: run }) {
      // A signal that the job does not declare.
      // THROWS TS2345 Argument of type '"refused"' is not assignable to parameter of type '"approved"'
      void (await run.waitFor("refused"));
      const { by } = yield* await run.waitFor("approved");
      // What a signal holds has the type of its schema.
      // THROWS TS2322 Type 'string' is not assignable to type 'number'
      const length: number = by;
      return { by: by + length };
    },
    plain: async ({ job: run }) => {
      // A job without signals waits for nothing.
      // THROWS TS2345 is not assignable to parameter of type 'never'
      void (await run.waitFor("approved"));
      // The outputs of parents are those of the job that is named.
      const [first] = await run.parents(plain);
      // THROWS TS2322 is not assignable to type 'string | undefined'
      const text: string | undefined = first?.output?.bytes;
      return { bytes: text?.length ?? 0 };
    },
  },
});

implementContract(shop, {
  handlers: {
    // A step's fault is the handler's, and must be declared.
    // THROWS TS2322 'Fault<"DECLINED"
    order: async ({ job: run }) => {
      const paid = await run.step("charge", () => Declined());
      return paid;
    },
    plain: () => ({ bytes: 1 }),
  },
});

// A signal's value is checked where it is told.
// THROWS TS2322 Type 'number' is not assignable to type 'string'
void jobs.signal(order, "1", "approved", { by: 7 });

// The last job of a batch has an input of its own.
// THROWS TS2322 Type 'string' is not assignable to type 'number'
void jobs.batch(plain, [{ id: 1 }], { job: order, input: { id: "one" } });

// A key is a text.
// THROWS TS2322 Type 'number' is not assignable to type 'string'
job("keyed", { input: { id: t.int() }, key: ({ id }) => id, perKey: { ordered: true } });
