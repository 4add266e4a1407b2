/** Tensile under the benchmarks of jobs: a producer, the workers and an API route in one process, all through the public face; on the store that is given. */
import {
  contract,
  type Fault,
  implement,
  job,
  query,
  type Result,
  serve,
  type ServeOptions,
  t,
} from "../../src/index.ts";
import { announce } from "../child.ts";
import { ledger } from "./ledger.ts";
import type { Enqueue } from "./producer.ts";
import type { JobsReady, JobsVerdict } from "./protocol.ts";
import { orderTaker } from "./order-taker.ts";

const input = {
  n: t.int({ minimum: 0 }),
  sentAt: t.float(),
  to: t.string({ minLength: 3, maxLength: 200 }),
  template: t.string({ minLength: 1, maxLength: 100 }),
  locale: t.string({ pattern: "^[a-z]{2}-[A-Z]{2}$" }),
  subject: t.string({ maxLength: 200 }),
};
const sendMail = job("sendMail", { input, output: {} });
const sendKeyedMail = job("sendKeyedMail", {
  input,
  output: {},
  key: ({ to }) => to,
  perKey: { concurrency: 1 },
});
const getUser = query("getUser", {
  access: "public",
  http: "GET /users/{id}",
  input: { id: t.int32() },
  output: t.object("User", { id: t.int32(), name: t.string(), email: t.string() }),
});

const book = ledger();
const nothing = {};
const app = implement(contract("bench.v1", { sendMail, sendKeyedMail, getUser }), {
  handlers: {
    sendMail: ({ input }) => {
      book.ran(input);
      return nothing;
    },
    sendKeyedMail: ({ input }) => {
      book.ran(input);
      return nothing;
    },
    getUser: ({ input: { id } }) => ({ id, name: `User ${id}`, email: `user${id}@example.com` }),
  },
});

/** The default retention keeps a million succeeded jobs; older ones are rightly gone. */
const kept = 1_000_000;

interface Setting {
  readonly durability: string;
  /** No job begins before the first order that wants one to. */
  readonly preloads: boolean;
  /** Of their own, for the API. Absent: it is answered on the loop that runs the jobs. */
  readonly threads?: NonNullable<ServeOptions["threads"]>;
}

/** Serves the app on the store, and takes the harness's orders. */
export async function measureTensile(
  store: NonNullable<ServeOptions["store"]>,
  { durability, preloads, threads }: Setting,
): Promise<void> {
  const server = await serve(app, { port: 0, store, ...(threads !== undefined && { threads }) });
  const { jobs } = server;
  if (preloads) mustBeOk(await jobs.pause(sendMail));
  const work = async (): Promise<void> => {
    if (preloads) mustBeOk(await jobs.resume(sendMail));
  };

  /** One job in ten thousand, to be looked up by its id in the end. */
  const sample: { readonly n: number; readonly id: string }[] = [];
  const enqueue: Enqueue = (payloads, keyed) => {
    const [first] = payloads;
    if (payloads.length !== 1 || first === undefined) return jobs.enqueueMany(sendMail, payloads).then(mustBeOk);
    if (keyed) return jobs.enqueue(sendKeyedMail, first).then(mustBeOk);
    const { n } = first;
    return jobs.enqueue(sendMail, first).then((result) => {
      mustBeOk(result);
      if (result.ok && n % 10_007 === 0) sample.push({ n, id: result.value.id });
    });
  };
  const settle = async (): Promise<JobsVerdict> => {
    await book.untilAllRan(30_000);
    return accountFor(jobs, sample);
  };
  const ready: JobsReady = { port: server.port, durability };
  announce(ready, orderTaker({ book, enqueue, work, settle }));
}

function mustBeOk(result: Result<unknown, Fault>): void {
  if (!result.ok) throw new Error(result.fault.message);
}

/** What the store says must agree with what was seen here. */
async function accountFor(
  jobs: Awaited<ReturnType<typeof serve>>["jobs"],
  sample: readonly { readonly n: number; readonly id: string }[],
): Promise<JobsVerdict> {
  const verdict = book.verdict();
  const wrong = [...verdict.wrong];
  let left = Infinity;
  // A handler has ended before its outcome is committed, so the last outcomes come a moment later.
  for (let i = 0; i < 200 && left > 0; i++) {
    const counts = await jobs.counts();
    if (!counts.ok) throw new Error(counts.fault.message);
    const { succeeded, ...others } = counts.value;
    left = Object.values(others).reduce((sum, count) => sum + count, 0);
    if (left > 0) await new Promise((done) => setTimeout(done, 10));
    else if (verdict.acknowledged <= kept ? succeeded !== verdict.acknowledged : succeeded < kept * 0.99) {
      wrong.push(`the history holds ${succeeded} succeeded jobs, not ${verdict.acknowledged}`);
    }
  }
  // Jobs finish a little out of their order, by far less than the tenth that is left out: each of these must be there.
  for (const { id } of sample.filter(({ n }) => n > verdict.acknowledged - kept * 0.9)) {
    const found = await jobs.get(id);
    if (!found.ok) wrong.push(found.fault.message);
    else if (found.value?.state !== "succeeded" || found.value.attempt !== 1) {
      wrong.push(`job ${id} is ${found.value?.state ?? "gone"} after attempt ${found.value?.attempt}`);
    }
  }
  return { ...verdict, left, wrong };
}
