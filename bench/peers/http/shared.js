/** What the servers of the `http` benchmark share: the work of the handlers, and the JSON schemas for those that take such. */

/** The application's part of GET /users/{id}. */
export function findUser(id) {
  return { id, name: `User ${id}`, email: `user${id}@example.com` };
}

/** What the pages are cut from: in memory already, as the rows of a cache would be. */
const rows = Array.from({ length: 2000 }, (_, i) => findUser(1_000_000 + i));

/** The application's part of GET /pages/{size}/{from}. */
export function listUsers(size, from) {
  return { from, users: rows.slice(from, from + size) };
}

/** The application's part of POST /orders. */
export function acceptOrder({ customer, items, express }) {
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
}

const object = (properties, optional = []) => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

export const userParameters = object({ id: { type: "integer", minimum: -2147483648, maximum: 2147483647 } });
export const user = object({ id: { type: "integer" }, name: { type: "string" }, email: { type: "string" } });
export const pageParameters = object({
  size: { type: "integer", minimum: 1, maximum: 1000 },
  from: { type: "integer", minimum: 0, maximum: 1000 },
});
export const page = object({ from: { type: "integer" }, users: { type: "array", items: user } });
export const order = object(
  {
    customer: object({
      name: { type: "string", minLength: 1, maxLength: 100 },
      email: { type: "string", format: "email" },
      address: object({
        street: { type: "string", minLength: 1, maxLength: 200 },
        city: { type: "string", minLength: 1, maxLength: 100 },
        zip: { type: "string", pattern: "^[0-9]{5}$" },
      }),
    }),
    items: {
      type: "array",
      minItems: 1,
      maxItems: 50,
      items: object({
        sku: { type: "string", pattern: "^[A-Z]{2}-[0-9]{4}$" },
        quantity: { type: "integer", minimum: 1, maximum: 1000 },
        price: { type: "number", minimum: 0 },
      }),
    },
    note: { type: "string", maxLength: 200 },
    express: { type: "boolean" },
  },
  ["note"],
);
export const receipt = object({
  status: { type: "string" },
  customer: { type: "string" },
  city: { type: "string" },
  lines: { type: "integer" },
  quantity: { type: "integer" },
  total: { type: "number" },
  currency: { type: "string" },
  express: { type: "boolean" },
});
