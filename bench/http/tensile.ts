/** Tensile under the `http` benchmark: contract routes through the whole framework, as an application would write them. */
import { announce } from "../child.ts";
import { loadTensile } from "../built.ts";

const { contract, implement, mutation, query, serve, t } = await loadTensile();

const User = t.object("User", { id: t.int32(), name: t.string(), email: t.string() });

const getUser = query("getUser", {
  access: "public",
  http: "GET /users/{id}",
  input: { id: t.int32() },
  output: User,
});

const listUsers = query("listUsers", {
  access: "public",
  http: "GET /pages/{size}/{from}",
  input: { size: t.int32({ minimum: 1, maximum: 1000 }), from: t.int32({ minimum: 0, maximum: 1000 }) },
  output: t.object("Page", { from: t.int32(), users: t.array(User) }),
});

const placeOrder = mutation("placeOrder", {
  access: "public",
  http: "POST /orders",
  input: {
    customer: t.object({
      name: t.string({ minLength: 1, maxLength: 100 }),
      email: t.string({ format: "email" }),
      address: t.object({
        street: t.string({ minLength: 1, maxLength: 200 }),
        city: t.string({ minLength: 1, maxLength: 100 }),
        zip: t.string({ pattern: "^[0-9]{5}$" }),
      }),
    }),
    items: t.array(
      t.object({
        sku: t.string({ pattern: "^[A-Z]{2}-[0-9]{4}$" }),
        quantity: t.int({ minimum: 1, maximum: 1000 }),
        price: t.float({ minimum: 0 }),
      }),
      { minItems: 1, maxItems: 50 },
    ),
    note: t.optional(t.string({ maxLength: 200 })),
    express: t.boolean(),
  },
  output: t.object("Receipt", {
    status: t.string(),
    customer: t.string(),
    city: t.string(),
    lines: t.int(),
    quantity: t.int(),
    total: t.float(),
    currency: t.string(),
    express: t.boolean(),
  }),
});

const findUser = (id: number) => ({ id, name: `User ${id}`, email: `user${id}@example.com` });
/** What the pages are cut from: in memory already, as the rows of a cache would be. */
const rows = Array.from({ length: 2000 }, (_, i) => findUser(1_000_000 + i));

const app = implement(contract("bench.v1", { getUser, listUsers, placeOrder }), {
  handlers: {
    getUser: ({ input: { id } }) => findUser(id),
    listUsers: ({ input: { size, from } }) => ({ from, users: rows.slice(from, from + size) }),
    placeOrder: ({ input: { customer, items, express } }) => {
      let quantity = 0;
      let total = 0;
      for (const item of items) {
        quantity += item.quantity;
        total += item.quantity * item.price;
      }
      return {
        status: "accepted",
        customer: customer.email,
        city: customer.address.city,
        lines: items.length,
        quantity,
        total,
        currency: "EUR",
        express,
      };
    },
  },
});

const server = await serve(app, { port: 0 });
announce({ port: server.port });
