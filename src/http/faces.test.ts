import assert from "node:assert/strict";
import { Unauthenticated, contract, fault, implementContract, mutation, query } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import * as z from "zod";
import { HeaderBlock } from "./index.ts";
import { bothFaces, type Face, type Received } from "./testing/faces.ts";

const City = t.object("City", { id: t.int32(), name: t.string({ maxLength: 40 }), founded: t.optional(t.timestamp()) });
const CityNotFound = fault("CITY_NOT_FOUND", {
  kind: "not_found",
  data: { id: t.int32() },
  message: ({ id }) => `There is no city ${id}.`,
});
const Busy = fault("BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const Teapot = fault("TEAPOT", { kind: "conflict", data: { at: t.timestamp() } });

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32(), lang: t.default(t.enum(["de", "en"]), "en") },
  output: City,
  faults: [CityNotFound, Busy, Teapot],
});
const findCities = query("findCities", {
  access: "public",
  http: "GET /cities",
  input: { tag: t.array(t.string()), after: t.optional(t.int64()), near: t.optional(t.float()) },
  output: { seen: t.array(t.string()), after: t.optional(t.int64()), near: t.optional(t.float()) },
});
const addCity = mutation("addCity", {
  access: "public",
  http: { route: "POST /cities", status: 201 },
  input: { name: t.string({ minLength: 1 }), tags: t.default(t.array(t.string()), []) },
  output: { name: t.string(), tags: t.array(t.string()) },
  maxBodyBytes: 200,
});
const replaceCity = mutation("replaceCity", {
  access: "public",
  http: { route: "PUT /cities/{id}", headers: { version: "If-Match" }, query: ["dry"] },
  input: {
    id: t.int32(),
    version: t.string(),
    dry: t.default(t.boolean(), false),
    name: t.string(),
    note: t.optional(t.string()),
  },
  output: { text: t.string() },
});
const removeCity = mutation("removeCity", {
  access: { scopes: ["write"] },
  http: "DELETE /cities/{id}",
  input: { id: t.int32() },
  output: t.nothing(),
});
const ping = mutation("ping", { access: "public", input: {}, output: {} });
const late = query("late", { access: "public", input: {}, output: { n: t.int32() } });
const broken = query("broken", { access: "public", input: { how: t.string() }, output: { n: t.int32() } });
const readFile = query("readFile", {
  access: "public",
  http: "GET /files/{*path}",
  input: { path: t.string() },
  output: { path: t.string() },
});
const places = contract("places.v1", {
  getCity,
  findCities,
  addCity,
  replaceCity,
  removeCity,
  ping,
  late,
  broken,
  readFile,
});

const app = implementContract(places, {
  authenticate: (request) => {
    const given = request.header("authorization");
    if (given === undefined) return undefined;
    return given.startsWith("Bearer ") ? { subject: "ann", scopes: given.slice(7).split(" ") } : Unauthenticated();
  },
  handlers: {
    getCity: ({ input }) => {
      if (input.id === 404) return CityNotFound({ id: 404 });
      if (input.id === 503) return Busy({ retryAfter: 1500 });
      // A handler in JavaScript could do this; the answer must be an incident.
      if (input.id === 500) return Teapot({ at: "soon" as unknown as Date });
      return {
        id: input.id,
        name: input.lang === "de" ? "Köln" : "Cologne",
        founded: new Date(0),
        secret: "never leaves",
      };
    },
    findCities: ({ input }) => ({
      seen: input.tag,
      ...(input.after === undefined ? {} : { after: input.after }),
      ...(input.near === undefined ? {} : { near: input.near }),
    }),
    addCity: async ({ input }) => input,
    replaceCity: ({ input }) => ({ text: JSON.stringify(input) }),
    removeCity: () => undefined,
    ping: () => ({}),
    late: async () => ({ n: 1 }),
    broken: ({ input }) => {
      if (input.how === "throw") throw new Error("password=hunter2");
      return { n: input.how === "output" ? 0.5 : 1 };
    },
    readFile: ({ input }) => ({ path: input.path }),
  },
});

const json = { "content-type": "application/json" };

async function problem(
  received: Promise<Received>,
): Promise<{ status: number; code: string; data?: unknown; detail: string; received: Received }> {
  const answer = await received;
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const body = JSON.parse(answer.text) as {
    type: string;
    title: string;
    status: number;
    code: string;
    detail: string;
    data?: unknown;
  };
  assert.equal(body.status, answer.status);
  assert.equal(body.type, `/problems/${body.code}`);
  assert.ok(body.title.length > 0 && body.detail.length > 0);
  assert.ok((answer.headers["x-request-id"] ?? "").length > 0, "every failure can be found in a log");
  return { ...body, received: answer };
}

function on(name: string, run: (face: Face) => Promise<void>): void {
  bothFaces(name, app, run);
}

on("a query answers JSON of its schema's fields and no others", async ({ send }) => {
  const answer = await send("GET", "/cities/7?lang=de");
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.text), { id: 7, name: "Köln", founded: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(answer.headers, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
});

on("HEAD answers like GET, without the body", async ({ send }) => {
  const answer = await send("HEAD", "/cities/7");
  assert.equal(answer.status, 200);
  assert.equal(answer.text, "");
  assert.equal(answer.headers["content-type"], "application/json");
});

on("a declared fault is a problem with its code, data and status", async ({ send }) => {
  const answer = await problem(send("GET", "/cities/404"));
  assert.deepEqual(
    [answer.status, answer.code, answer.data, answer.detail],
    [404, "CITY_NOT_FOUND", { id: 404 }, "There is no city 404."],
  );
  assert.equal(answer.received.headers["cache-control"], "no-store");
});

on("a fault that says when to come back sets Retry-After in whole seconds", async ({ send }) => {
  const answer = await problem(send("GET", "/cities/503"));
  assert.equal(answer.received.headers["retry-after"], "2");
  assert.deepEqual(answer.data, { retryAfter: "1.500s" });
});

on(
  "fault data or an output that does not fit its schema, or a throw, is an incident that tells nothing",
  async ({ send, defects }) => {
    for (const target of ["/cities/500", "/broken?how=throw", "/broken?how=output"]) {
      const answer = await problem(send("GET", target));
      assert.equal(answer.status, 500);
      assert.equal(answer.code, "INTERNAL");
      const incident = defects.at(-1)?.incident;
      assert.deepEqual(answer.data, { incident });
      assert.doesNotMatch(answer.received.text, /hunter2|soon/);
    }
    assert.equal(defects.length, 3);
  },
);

on("path, query, headers and body become one input", async ({ send }) => {
  const answer = await send("PUT", "/cities/9?dry=true", {
    headers: { ...json, "if-match": "v1" },
    body: '{"name":"Bern"}',
  });
  assert.equal(answer.status, 200);
  const { text } = JSON.parse(answer.text) as { text: string };
  assert.deepEqual(JSON.parse(text), { id: 9, version: "v1", dry: true, name: "Bern" });
});

on("what is wrong in path, query, header and body is reported at once", async ({ send }) => {
  const answer = await problem(send("PUT", "/cities/x?dry=maybe&more=1", { headers: json, body: '{"nam":1}' }));
  assert.equal(answer.status, 400);
  const { issues } = answer.data as { issues: { pointer: string; code: string }[] };
  const pointers = issues.map(({ pointer, code }) => `${pointer} ${code}`).toSorted();
  assert.deepEqual(pointers, [
    "/dry type",
    "/id type",
    "/more unknown_field",
    "/nam unknown_field",
    "/name required",
    "/version required",
  ]);
});

on("a list is written by repetition; a scalar given twice is refused", async ({ send }) => {
  assert.deepEqual(JSON.parse((await send("GET", "/cities?tag=a&tag=b+c&tag=%C3%BC")).text), {
    seen: ["a", "b c", "ü"],
  });
  assert.deepEqual(JSON.parse((await send("GET", "/cities")).text), { seen: [] });
  assert.deepEqual(JSON.parse((await send("GET", "/cities?after=9007199254740993&near=-0.5")).text), {
    seen: [],
    after: "9007199254740993",
    near: -0.5,
  });
  assert.equal((await problem(send("GET", "/cities/1?lang=de&lang=en"))).code, "INVALID_INPUT");
});

on("a broken escape or bytes that are not UTF-8 are refused", async ({ send }) => {
  for (const target of ["/cities/%ff", "/cities/%zz", "/cities?tag=%e4", "/cities?%=1"]) {
    assert.equal((await problem(send("GET", target))).status, 400, target);
  }
});

on("a path without a route is 404, and so is one that differs in case, slash or doubled slash", async ({ send }) => {
  for (const target of ["/nope", "/Cities", "/cities/", "//cities", "/cities//1"]) {
    const answer = await problem(send("GET", target));
    assert.deepEqual([answer.status, answer.code], [404, "ROUTE_NOT_FOUND"], target);
  }
});

on("another method is 405 with Allow, and OPTIONS lists the methods", async ({ send }) => {
  const refused = await problem(send("PATCH", "/cities/1"));
  assert.deepEqual([refused.status, refused.code], [405, "METHOD_NOT_ALLOWED"]);
  assert.equal(refused.received.headers["allow"], "DELETE, GET, HEAD, OPTIONS, PUT");
  const options = await send("OPTIONS", "/cities/1");
  assert.deepEqual(
    [options.status, options.headers["allow"], options.text],
    [204, "DELETE, GET, HEAD, OPTIONS, PUT", ""],
  );
  assert.equal((await send("OPTIONS", "/nope")).status, 404);
});

on("a success may have a status of its own, and 204 has no body", async ({ send }) => {
  const added = await send("POST", "/cities", { headers: json, body: '{"name":"Bern"}' });
  assert.deepEqual([added.status, added.text], [201, '{"name":"Bern","tags":[]}']);
  const removed = await send("DELETE", "/cities/1", { headers: { authorization: "Bearer write" } });
  assert.deepEqual([removed.status, removed.text, removed.headers["content-type"]], [204, "", undefined]);
});

on("an asynchronous handler answers as well", async ({ send }) => {
  assert.equal((await send("GET", "/late")).text, '{"n":1}');
});

on("access is refused before the input is looked at", async ({ send }) => {
  const unknown = await problem(send("DELETE", "/cities/x"));
  assert.deepEqual(
    [unknown.status, unknown.code, unknown.received.headers["www-authenticate"]],
    [401, "UNAUTHENTICATED", "Bearer"],
  );
  const weak = await problem(send("DELETE", "/cities/x", { headers: { authorization: "Bearer read" } }));
  assert.deepEqual([weak.status, weak.code], [403, "PERMISSION_DENIED"]);
  assert.equal((await problem(send("GET", "/cities/1", { headers: { authorization: "Basic x" } }))).status, 401);
});

on("a body must be JSON in UTF-8", async ({ send }) => {
  const body = '{"name":"Bern"}';
  for (const type of ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']) {
    assert.equal((await send("POST", "/cities", { headers: { "content-type": type }, body })).status, 201, type);
  }
  for (const type of [
    "text/plain",
    "application/json; charset=latin1",
    "application/jsonp",
    "application/x-www-form-urlencoded",
    "",
  ]) {
    assert.equal(
      (await problem(send("POST", "/cities", { headers: { "content-type": type }, body }))).status,
      415,
      type,
    );
  }
  assert.equal((await problem(send("POST", "/cities", { body }))).status, 415);
  assert.equal(
    (await problem(send("POST", "/cities", { headers: { ...json, "content-encoding": "gzip" }, body }))).status,
    415,
  );
});

on("a missing body, one that is no JSON, and a repeated key are bad input", async ({ send }) => {
  for (const body of ["", "{", "null", "[]", '{"name":"a","name":"b"}', '{"name":"a","__proto__":{}}', "\ufeff{}"]) {
    const answer = await problem(send("POST", "/cities", { headers: json, body }));
    assert.deepEqual([answer.status, answer.code], [400, "INVALID_INPUT"], body);
  }
  const bytes = new Uint8Array([...new TextEncoder().encode('{"name":"'), 0xff, ...new TextEncoder().encode('"}')]);
  assert.equal((await problem(send("POST", "/cities", { headers: json, body: bytes }))).status, 400);
});

on("an operation without input takes no body or an empty object", async ({ send }) => {
  assert.equal((await send("POST", "/ping")).status, 200);
  assert.equal((await send("POST", "/ping", { headers: json, body: "{}" })).status, 200);
  assert.equal((await problem(send("POST", "/ping", { headers: json, body: '{"a":1}' }))).status, 400);
  assert.equal((await problem(send("POST", "/ping?a=1"))).status, 400);
});

on("a body over the limit is refused", async ({ send }) => {
  const body = JSON.stringify({ name: "x".repeat(300) });
  const answer = await problem(send("POST", "/cities", { headers: json, body }));
  assert.deepEqual([answer.status, answer.code, answer.data], [413, "PAYLOAD_TOO_LARGE", { limit: 200 }]);
});

on("only a client that refuses JSON and problems alike gets 406", async ({ send }) => {
  for (const accept of [
    "*/*",
    "text/html, */*;q=0.1",
    "application/*",
    "application/problem+json",
    "application/json;q=0, */*",
    "",
  ]) {
    assert.equal((await send("GET", "/cities/1", { headers: { accept } })).status, 200, accept);
  }
  for (const accept of ["text/html", "application/*;q=0", "*/*;q=0"]) {
    assert.equal((await problem(send("GET", "/cities/1", { headers: { accept } }))).code, "NOT_ACCEPTABLE", accept);
  }
});

on("a sane request id comes back, another is replaced", async ({ send }) => {
  const id = "abc-123";
  assert.equal((await send("GET", "/cities/1", { headers: { "x-request-id": id } })).headers["x-request-id"], id);
  assert.equal((await send("GET", "/cities/404", { headers: { "x-request-id": id } })).headers["x-request-id"], id);
  const replaced = (await send("GET", "/cities/404", { headers: { "x-request-id": "x".repeat(200) } })).headers[
    "x-request-id"
  ];
  assert.match(replaced ?? "", /^[\da-f]{12}-[\da-z]+$/);
});

on("the tail of a path is one decoded text", async ({ send }) => {
  assert.equal((await send("GET", "/files/a/b%20c/d.txt")).text, '{"path":"a/b c/d.txt"}');
  assert.equal((await problem(send("GET", "/files/"))).status, 404);
  assert.equal((await problem(send("GET", "/files/a%2Fb"))).status, 404);
});

const foreign = contract("foreign.v1", {
  convert: query("convert", {
    access: "public",
    http: "GET /convert/{unit}",
    input: z.object({ unit: z.enum(["m", "km"]), width: z.number().positive(), tags: z.array(z.string()).default([]) }),
    output: z.object({ metres: z.number(), tags: z.array(z.string()) }),
  }),
  save: mutation("save", {
    access: "public",
    http: "PUT /saved/{id}",
    input: z.object({ id: z.string(), name: z.string().refine(async (name) => name !== "taken", "is taken") }),
    output: { id: t.string(), name: t.string() },
  }),
  mixed: mutation("mixed", {
    access: "public",
    input: { kind: z.literal("x"), n: t.int32() },
    output: { kind: z.string(), n: t.int32() },
  }),
});
const foreignApp = implementContract(foreign, {
  handlers: {
    convert: ({ input }) => ({ metres: input.width * (input.unit === "km" ? 1000 : 1), tags: input.tags, secret: 1 }),
    save: ({ input }) => input,
    mixed: ({ input }) => input,
  },
});

bothFaces(
  "another library's schema reads path, query and body, and filters the output",
  foreignApp,
  async ({ send }) => {
    const answer = await send("GET", "/convert/km?width=1.5&tags=a");
    assert.deepEqual([answer.status, answer.text], [200, '{"metres":1500,"tags":["a"]}']);
    for (const target of ["/convert/mile?width=1", "/convert/m?width=x", "/convert/m", "/convert/m?width=-1"]) {
      assert.equal((await problem(send("GET", target))).status, 400, target);
    }
    assert.equal(
      (await send("POST", "/mixed", { headers: json, body: '{"kind":"x","n":1}' })).text,
      '{"kind":"x","n":1}',
    );
    assert.equal((await problem(send("POST", "/mixed", { headers: json, body: '{"kind":"y","n":1}' }))).status, 400);
  },
);

bothFaces("a schema that validates asynchronously is waited for", foreignApp, async ({ send }) => {
  const saved = await send("PUT", "/saved/7", { headers: json, body: '{"name":"free"}' });
  assert.deepEqual([saved.status, saved.text], [200, '{"id":"7","name":"free"}']);
  const taken = await problem(send("PUT", "/saved/7", { headers: json, body: '{"name":"taken"}' }));
  assert.deepEqual(taken.data, { issues: [{ pointer: "/name", code: "foreign", message: "is taken" }] });
  assert.equal((await problem(send("PUT", "/saved/7", { headers: json, body: '{"name":"a","id":"8"}' }))).status, 400);
  assert.equal((await problem(send("PUT", "/saved/7", { headers: json, body: "[]" }))).status, 400);
});

const extraRoutes = [
  {
    method: "GET",
    path: "/health",
    handle: () => ({ status: 200, headers: new HeaderBlock(["content-type", "text/plain"]), body: "up" }),
  },
  {
    method: "GET",
    path: "/broken-extra",
    handle: () => {
      throw new Error("password=hunter2");
    },
  },
  {
    method: "GET",
    path: "/echo/{one}/{*rest}",
    handle: (_: unknown, captures: readonly string[]) => ({
      status: 200,
      headers: HeaderBlock.empty,
      body: JSON.stringify(captures),
    }),
  },
  { method: "GET", path: "/broken-later", handle: () => Promise.reject(new Error("password=hunter2")) },
];
bothFaces(
  "routes beside the contract's are served, and one that throws is an incident",
  app,
  async ({ send, defects }) => {
    const up = await send("GET", "/health");
    assert.deepEqual([up.status, up.text, up.headers["content-type"]], [200, "up", "text/plain"]);
    assert.equal((await send("HEAD", "/health")).status, 200);
    assert.equal((await send("GET", "/echo/a%2Fb/c%20d/e?f")).text, '["a/b","c d/e"]');
    for (const target of ["/broken-extra", "/broken-later"]) {
      const answer = await problem(send("GET", target));
      assert.deepEqual([answer.code, answer.data], ["INTERNAL", { incident: defects.at(-1)?.incident }]);
      assert.doesNotMatch(answer.received.text, /hunter2/);
    }
  },
  { extraRoutes },
);

on("a target that only a socket can send is taken as it stands", async ({ name, send }) => {
  // A Web Request has resolved its dot segments before anybody sees it, and knows no `*`.
  if (name === "fetch") return;
  assert.equal((await problem(send("GET", "/files/../cities/1"))).status, 404);
  assert.equal((await problem(send("GET", "/files/%2e%2e/x"))).status, 404);
  const everywhere = await send("OPTIONS", "*");
  assert.deepEqual([everywhere.status, everywhere.headers["allow"]], [204, "DELETE, GET, HEAD, OPTIONS, POST, PUT"]);
});
