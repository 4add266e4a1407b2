/** Tensile under the `soak` benchmark: an application that is asked right and wrong things, and that fails at some of them. */
import { announce } from "../child.ts";
import { loadTensile } from "../built.ts";

const { contract, fault, implement, mutation, query, serve, t } = await loadTensile();

const NotThere = fault("NOT_THERE", { kind: "not_found", data: { id: t.int32() } });
const Item = t.object("Item", { id: t.int32(), name: t.string() });
const find = query("find", {
  access: "public",
  http: "GET /items/{id}",
  input: { id: t.int32() },
  output: Item,
  faults: [NotThere],
});
const later = query("later", { access: "public", http: "GET /later/{id}", input: { id: t.int32() }, output: Item });
const add = mutation("add", {
  access: "public",
  http: "POST /items",
  input: { name: t.string({ maxLength: 20_000 }), tags: t.array(t.string()) },
  output: t.object("Added", { length: t.int32(), tags: t.int32() }),
});
const broken = query("broken", { access: "public", http: "GET /broken", input: {}, output: Item });
const large = query("large", {
  access: "public",
  http: "GET /large",
  input: {},
  output: t.object("Items", { items: t.array(Item) }),
});

const items = Array.from({ length: 5000 }, (_, id) => ({ id, name: `Item ${id} of many` }));
const app = implement(contract("soak.v1", { find, later, add, broken, large }), {
  handlers: {
    find: ({ input: { id } }) => (id >= 1000 ? NotThere({ id }) : { id, name: `Item ${id}` }),
    later: async ({ input: { id } }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { id, name: `Item ${id}` };
    },
    add: ({ input: { name, tags } }) => ({ length: name.length, tags: tags.length }),
    broken: () => {
      throw new Error("This operation always fails.");
    },
    large: () => ({ items }),
  },
});
const server = await serve(app, {
  port: 0,
  log: false,
  limits: {
    http: { headTimeoutMs: 2000, keepAliveMs: 5000 },
    // A neighbour on the machine is no overload here: this is about memory, and every answer has to be right.
    overload: { queueMs: 2000, queuePatienceMs: 5000, criticalQueueMs: 5000, latencyTolerance: 100 },
  },
});
announce({ port: server.port });
