/**
 * Elysia on Bun with its own schemas for what comes in and what goes out. `normalize` is off, because it removes unknown fields
 * where everybody here refuses them; and whole numbers of the body are not `t.Integer`, because that takes `"2"` for one.
 * Run by Bun, not by Node.
 */
import { Elysia, t } from "elysia";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers } from "./shared.js";

const strict = (properties) => t.Object(properties, { additionalProperties: false });
const user = strict({ id: t.Number(), name: t.String(), email: t.String() });
const order = strict({
  customer: strict({
    name: t.String({ minLength: 1, maxLength: 100 }),
    email: t.String({ format: "email" }),
    address: strict({
      street: t.String({ minLength: 1, maxLength: 200 }),
      city: t.String({ minLength: 1, maxLength: 100 }),
      zip: t.String({ pattern: "^[0-9]{5}$" }),
    }),
  }),
  items: t.Array(
    strict({
      sku: t.String({ pattern: "^[A-Z]{2}-[0-9]{4}$" }),
      quantity: t.Number({ multipleOf: 1, minimum: 1, maximum: 1000 }),
      price: t.Number({ minimum: 0 }),
    }),
    { minItems: 1, maxItems: 50 },
  ),
  note: t.Optional(t.String({ maxLength: 200 })),
  express: t.Boolean(),
});
const receipt = strict({
  status: t.String(),
  customer: t.String(),
  city: t.String(),
  lines: t.Number(),
  quantity: t.Number(),
  total: t.Number(),
  currency: t.String(),
  express: t.Boolean(),
});

const app = new Elysia({ normalize: false })
  .get("/users/:id", ({ params }) => findUser(params.id), {
    params: t.Object({ id: t.Integer({ minimum: -2147483648, maximum: 2147483647 }) }),
    response: user,
  })
  .get("/pages/:size/:from", ({ params }) => listUsers(params.size, params.from), {
    params: t.Object({
      size: t.Integer({ minimum: 1, maximum: 1000 }),
      from: t.Integer({ minimum: 0, maximum: 1000 }),
    }),
    response: strict({ from: t.Number(), users: t.Array(user) }),
  })
  .post("/orders", ({ body }) => acceptOrder(body), { body: order, response: receipt })
  .listen({ port: 0, hostname: "127.0.0.1" });
announce({ port: app.server.port });
