/** Tensile under the `overload` benchmark. With the argument `open` nobody is refused. */
import { announce } from "../child.ts";
import { loadTensile } from "../built.ts";
import { lookUp, render } from "./work.ts";

const { contract, implement, query, serve, t } = await loadTensile();

const Mark = t.object("Mark", { id: t.int32(), mark: t.int() });
const cpu = query("cpu", { access: "public", http: "GET /cpu/{id}", input: { id: t.int32() }, output: Mark });
const pool = query("pool", { access: "public", http: "GET /pool/{id}", input: { id: t.int32() }, output: Mark });
const hold = query("hold", { access: "public", http: "GET /hold", input: {}, output: Mark });

const app = implement(contract("bench.v1", { cpu, pool, hold }), {
  handlers: {
    cpu: ({ input }) => render(input.id),
    pool: ({ input }) => lookUp(input.id),
    hold: () => new Promise(() => undefined),
  },
});
const mode = process.argv[2];
const server = await serve(app, {
  port: 0,
  log: false,
  overload: mode !== "open",
  // For the price of a refusal: one call holds the only place.
  ...(mode === "full" && { limits: { overload: { inFlight: 1 } } }),
});
announce({ port: server.port });
