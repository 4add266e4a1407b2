import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { t } from "../schema/index.ts";
import {
  fillPath,
  httpPlan,
  mutation,
  parsePath,
  query,
  type HttpPlan,
  type HttpRoute,
  type SchemaLike,
} from "./index.ts";

function planOf(
  type: "query" | "mutation",
  http: HttpRoute | undefined,
  input: SchemaLike,
  output: SchemaLike = {},
): HttpPlan {
  const options = { access: "public" as const, input, output, ...(http === undefined ? {} : { http }) };
  return httpPlan(type === "query" ? query("call", options) : mutation("call", options));
}

function places({ texts, bodyNode }: HttpPlan): unknown {
  const body = bodyNode?.kind === "object" ? bodyNode.fields.map(({ name }) => name) : bodyNode?.kind;
  return { texts: texts.map(({ field, place, key }) => `${field.name} ${place} ${key}`), body };
}

test("without a route a query is GET and a mutation is POST, under its name", () => {
  const read = planOf("query", undefined, { a: t.int32() });
  assert.deepEqual(
    [read.method, read.path, read.status, places(read)],
    ["GET", "/call", 200, { texts: ["a query a"], body: undefined }],
  );
  const write = planOf("mutation", undefined, { a: t.int32() }, t.nothing());
  assert.deepEqual(
    [write.method, write.path, write.status, places(write)],
    ["POST", "/call", 204, { texts: [], body: ["a"] }],
  );
});

test("a field travels where the route says, else in the body, else in the query", () => {
  const input = {
    id: t.int32(),
    since: t.rename(t.string(), "from"),
    tag: t.array(t.string()),
    note: t.optional(t.string()),
  };
  const route = { route: "PUT /x/{id}", headers: { since: "X-Since" }, query: ["tag"] };
  const put = planOf("mutation", route, input);
  assert.deepEqual(places(put), { texts: ["id path id", "since header x-since", "tag query tag"], body: ["note"] });
  assert.equal(put.bodyRequired, false);
  assert.deepEqual(places(planOf("query", "GET /x/{id}", input)), {
    texts: ["id path id", "since query from", "tag query tag", "note query note"],
    body: undefined,
  });
});

test("brands, refinements and references around an object do not hide its fields", () => {
  const inner = t.object({ id: t.int32(), a: t.int32() });
  const refined = t.refine(
    t.brand(
      t.ref(() => inner),
      "X",
    ),
    ({ a, id }) => a > id,
    "a must be larger",
  );
  const plan = planOf("mutation", "PUT /x/{id}", refined);
  assert.deepEqual(places(plan), { texts: ["id path id"], body: ["a"] });
  assert.equal(plan.refinements.length, 1);
});

test("an input that is no object is the whole body", () => {
  const plan = planOf("mutation", "POST /x", t.array(t.int32()));
  assert.deepEqual([plan.body, plan.bodyRequired, plan.bodyNode?.kind], ["whole", true, "array"]);
});

test("the fields of another library's object travel as text when it offers its JSON Schema", () => {
  const input = z.object({ id: z.string(), n: z.number().optional(), tags: z.array(z.boolean()) });
  const plan = planOf("query", "GET /x/{id}", input);
  assert.deepEqual(places(plan), { texts: ["id path id", "n query n", "tags query tags"], body: undefined });
  assert.deepEqual(
    plan.texts.map(({ list }) => list),
    [false, false, true],
  );
  assert.equal(plan.join, "foreign");
});

test("what cannot be is refused at start with a sentence that names the operation and the way out", () => {
  const id = { id: t.int32() };
  const silent = { "~standard": { version: 1, vendor: "none", validate: (value: unknown) => ({ value }) } } as const;
  const wrong: readonly [Parameters<typeof planOf>, RegExp][] = [
    [["query", "GET x", id], /is not "METHOD \/path"/],
    [["query", "FETCH /x", id], /is not "METHOD \/path"/],
    [["mutation", "GET /x", id], /mutation cannot be GET/],
    [["query", "DELETE /x", id], /query changes nothing/],
    [["query", "GET /x/{key}", id], /names "key", which is no field of the input\. Its fields: id/],
    [["query", { route: "GET /x", headers: { key: "x-key" } }, id], /headers: \{…\} names "key"/],
    [["mutation", { route: "POST /x", query: ["key"] }, id], /query: \[…\] names "key"/],
    [["mutation", { route: "POST /x/{id}", query: ["id"] }, id], /travels twice: in the path and in the query/],
    [["query", { route: "GET /x", headers: { id: "Authorization" } }, id], /has a meaning of its own/],
    [["query", { route: "GET /x", headers: { id: "x y" } }, id], /not a header name/],
    [
      ["query", { route: "GET /x", headers: { id: "X-a", b: "x-A" } }, { ...id, b: t.int32() }],
      /two fields travel in the header/,
    ],
    [["query", "GET /x/{id}", { id: t.array(t.int32()) }], /is a list, which a path cannot carry/],
    [["query", "GET /x/{id}", { id: t.optional(t.int32()) }], /cannot be optional/],
    [["query", "GET /x/{id}", { id: t.default(t.int32(), 1) }], /cannot be left to a default/],
    [["query", "GET /x", { id: t.nullable(t.int32()) }], /cannot say null\. Use t\.optional/],
    [["query", "GET /x", { id: t.object({}) }], /of kind object, which a query cannot carry.*POST/],
    [["query", "GET /x", { id: t.array(t.array(t.int32())) }], /of kind array/],
    [["query", "GET /x", t.array(t.int32())], /of kind array, so it cannot travel without a body/],
    [["query", "GET /x", silent], /offers no JSON Schema of an object/],
    [["mutation", "PUT /x/{id}", t.tagged("T", "t", { a: {} })], /leave out captures/],
    [["query", { route: "GET /x", status: 404 }, id], /200 to 299/],
    [["query", { route: "GET /x", status: 204 }, id], /has no body, but there is an output/],
  ];
  for (const [given, message] of wrong) {
    assert.throws(
      () => planOf(...given),
      (error: unknown) => {
        assert.ok(error instanceof TypeError);
        assert.match(error.message, message);
        assert.match(error.message, /^(query|mutation)\("call"\): /);
        return true;
      },
    );
  }
});

test("a path is filled in with escapes, and not at all where a value cannot stand", () => {
  const parts = parsePath("/a/{id}/f/{*rest}");
  const fill = (id: string, rest: string): string | undefined => fillPath(parts, (name) => (name === "id" ? id : rest));
  assert.equal(fill("x/y z", "b/c d/%"), "/a/x%2Fy%20z/f/b/c%20d/%25");
  for (const [id, rest] of [
    ["", "b"],
    [".", "b"],
    ["..", "b"],
    ["\ud800", "b"],
    ["a", ""],
    ["a", "b/../c"],
  ] as const) {
    assert.equal(fill(id, rest), undefined);
  }
});
