/** The smallest app: one operation, its handler, a server. `npx node examples/hello/main.ts` */
import { contract, fault, implement, query, serve, t } from "tensile";

const NameTaken = fault("NAME_TAKEN", { kind: "conflict", data: { name: t.string() } });

const greet = query("greet", {
  access: "public",
  http: "GET /hello/{name}",
  input: { name: t.string({ minLength: 1, maxLength: 40 }), times: t.default(t.int32({ minimum: 1, maximum: 10 }), 1) },
  output: t.object("Greeting", { text: t.string() }),
  faults: [NameTaken],
});

const app = implement(contract("hello.v1", { greet }), {
  handlers: {
    greet: ({ input: { name, times } }) =>
      name === "Tensile" ? NameTaken({ name }) : { text: `Hello, ${name}!${" Hello!".repeat(times - 1)}` },
  },
});

const server = await serve(app, { port: Number(process.env["PORT"] ?? 3000) });
console.log(`curl ${server.url}/hello/Ada\nopen ${server.url}/docs`);
