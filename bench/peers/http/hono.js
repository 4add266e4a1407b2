/** Hono on @hono/node-server with its Zod validator, the way its documentation shows. */
import { serve } from "@hono/node-server";
import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";
import { announce } from "../../child.ts";
import { acceptOrder, findUser, listUsers } from "./shared.js";

const whole = z
  .string()
  .regex(/^-?\d{1,10}$/)
  .transform(Number);
const parameters = z.object({ id: whole.pipe(z.int32()) });
const pageParameters = z.object({ size: whole.pipe(z.int().min(1).max(1000)), from: whole.pipe(z.int().min(0).max(1000)) });
const order = z.strictObject({
  customer: z.strictObject({
    name: z.string().min(1).max(100),
    email: z.email(),
    address: z.strictObject({
      street: z.string().min(1).max(200),
      city: z.string().min(1).max(100),
      zip: z.string().regex(/^[0-9]{5}$/),
    }),
  }),
  items: z
    .array(
      z.strictObject({
        sku: z.string().regex(/^[A-Z]{2}-[0-9]{4}$/),
        quantity: z.int().min(1).max(1000),
        price: z.number().min(0),
      }),
    )
    .min(1)
    .max(50),
  note: z.string().max(200).optional(),
  express: z.boolean(),
});

const app = new Hono();
app.get("/users/:id", zValidator("param", parameters), (c) => c.json(findUser(c.req.valid("param").id)));
app.get("/pages/:size/:from", zValidator("param", pageParameters), (c) => {
  const { size, from } = c.req.valid("param");
  return c.json(listUsers(size, from));
});
app.post("/orders", zValidator("json", order), (c) => c.json(acceptOrder(c.req.valid("json"))));
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => announce({ port }));
