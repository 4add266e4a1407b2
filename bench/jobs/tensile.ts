/** Tensile under the `jobs` benchmark: a producer, the workers and an API route in one process, all through the public face. */
import { contract, type Fault, implement, job, query, type Result, serve, t } from "../../src/index.ts";
import { sqlite } from "../../src/sqlite/index.ts";
import { announce } from "../child.ts";
import { type Enqueue, ledger } from "./ledger.ts";
import type { JobsReady, JobsVerdict } from "./protocol.ts";
import { orderTaker } from "./order-taker.ts";

const sendMail = job("sendMail", {
  input: {
    n: t.int({ minimum: 0 }),
    sentAt: t.float(),
    to: t.string({ minLength: 3, maxLength: 200 }),
    template: t.string({ minLength: 1, maxLength: 100 }),
    locale: t.string({ pattern: "^[a-z]{2}-[A-Z]{2}$" }),
    subject: t.string({ maxLength: 200 }),
  },
  output: {},
});
const getUser = query("getUser", {
  access: "public",
  http: "GET /users/{id}",
  input: { id: t.int32() },
  output: t.object("User", { id: t.int32(), name: t.string(), email: t.string() }),
});

const book = ledger();
const nothing = {};
const app = implement(contract("bench.v1", { sendMail, getUser }), {
  handlers: {
    sendMail: ({ input }) => {
      book.ran(input);
      return nothing;
    },
    getUser: ({ input: { id } }) => ({ id, name: `User ${id}`, email: `user${id}@example.com` }),
  },
});

const file = process.argv[2] ?? "bench.db";
const server = await serve(app, { port: 0, store: sqlite(file, { durability: "full" }) });
const { jobs } = server;

/** One job in ten thousand, to be looked up by its id in the end. */
const sample: { readonly n: number; readonly id: string }[] = [];
/** The default retention keeps a million succeeded jobs; older ones are rightly gone. */
const kept = 1_000_000;
const enqueue: Enqueue = (payloads) => {
  const [first] = payloads;
  if (payloads.length !== 1 || first === undefined) return jobs.enqueueMany(sendMail, payloads).then(mustBeOk);
  const { n } = first;
  return jobs.enqueue(sendMail, first).then((result) => {
    mustBeOk(result);
    if (result.ok && n % 10_007 === 0) sample.push({ n, id: result.value.id });
  });
};

function mustBeOk(result: Result<unknown, Fault>): void {
  if (!result.ok) throw new Error(result.fault.message);
}

/** What the store says must agree with what was seen here. */
async function settle(): Promise<JobsVerdict> {
  await book.untilAllRan(30_000);
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

const ready: JobsReady = {
  port: server.port,
  durability: "WAL, synchronous=FULL: acknowledged after the commit's fsync",
};
announce(ready, orderTaker({ book, enqueue, settle }));
