/** The program of middleware-kill.test.ts: sessions and payments on one SQLite file, with moments at which it kills itself. */
import { contract, implement, mutation, ok, query, serve, t } from "tensile";
import { idempotency, sessions } from "tensile/middleware";
import { sqlite } from "tensile/sqlite";

const store = sqlite(process.argv[2] as string, {
  migrations: ["CREATE TABLE payment (id INTEGER PRIMARY KEY, amount INTEGER)"],
});
const web = sessions({ store: store.kv() });

const signIn = mutation("signIn", { access: "public", input: { name: t.string() }, output: t.nothing() });
const whoAmI = query("whoAmI", { access: "authenticated", input: {}, output: { subject: t.string() } });
const pay = mutation("pay", {
  access: "authenticated",
  input: { amount: t.int32(), die: t.default(t.enum(["never", "before", "after"]), "never") },
  output: { id: t.int32() },
});
const payments = query("payments", { access: "public", input: {}, output: { count: t.int32() } });

const app = implement(contract("shop.v1", { signIn, whoAmI, pay, payments }), {
  authenticate: web.authenticate,
  middleware: [web.middleware, idempotency({ store: store.kv(), lease: "1s" })],
  handlers: {
    signIn: async function* ({ input, session }) {
      yield* await session.signIn({ subject: input.name });
      return ok();
    },
    whoAmI: ({ auth }) => ({ subject: auth.subject }),
    async pay({ input, idempotency: once }) {
      const dies = input.die;
      if (dies === "before" && process.argv[3] === "deadly") process.kill(process.pid, "SIGKILL");
      const reader = store.reader();
      const id = Number(reader.prepare("SELECT count(*) AS n FROM payment").get()?.["n"]) + 1;
      reader.close();
      const done = await store.transaction((tx) => {
        tx.run("INSERT INTO payment VALUES (?, ?)", [id, input.amount]);
        if (once !== undefined) tx.keep(once.finish({ id }));
      });
      if (!done.ok) throw new Error(done.fault.message);
      if (dies === "after" && process.argv[3] === "deadly") process.kill(process.pid, "SIGKILL");
      return { id };
    },
    payments() {
      const reader = store.reader();
      const count = Number(reader.prepare("SELECT count(*) AS n FROM payment").get()?.["n"]);
      reader.close();
      return { count };
    },
  },
});

const server = await serve(app, { port: 0, store, log: false });
process.stdout.write(`${server.url}\n`);
