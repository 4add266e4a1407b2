/**
 * The app that every runtime serves through `app.fetch`: one of each kind of answer. Plain JavaScript on the package by name, as users
 * of an edge runtime have it after their build.
 */
import { HeaderBlock, compile, contract, fault, implement, middleware, mutation, query, t } from "tensile";
import {
  anyOf,
  apiKeys,
  compression,
  cookie,
  cookies,
  cors,
  csrf,
  etag,
  idempotency,
  memoryKv,
  newApiKey,
  rateLimit,
  requestId,
  securityHeaders,
  sessions,
} from "tensile/middleware";

export const City = t.object("City", { id: t.int32(), name: t.string({ maxLength: 20 }), tags: t.array(t.string()) });
export const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });

// At the top of a module an edge runtime may allow what it forbids inside of a request: Workers do so with code made from text.
const early = compile(City);

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32(), shout: t.default(t.boolean(), false) },
  output: City,
  faults: [CityNotFound],
});
const addCity = mutation("addCity", {
  access: "public",
  http: { route: "POST /cities", status: 201 },
  input: City,
  output: City,
});
const secret = query("secret", {
  access: "authenticated",
  http: "GET /secret",
  input: {},
  output: { subject: t.string() },
});
const failing = query("failing", { access: "public", http: "GET /failing", input: {}, output: {} });
const slow = query("slow", {
  access: "public",
  http: "GET /slow/{ms}",
  timeout: "1s",
  input: { ms: t.int32({ minimum: 0, maximum: 60_000 }) },
  output: { waited: t.int32() },
});
const modes = query("modes", {
  access: "public",
  http: "GET /modes",
  input: {},
  output: { early: t.string(), late: t.string() },
});

const signIn = mutation("signIn", { access: "public", input: { name: t.string() }, output: { visits: t.int32() } });
const newKey = mutation("newKey", { access: "authenticated", input: {}, output: { key: t.string() } });

export const cities = contract("cities.v1", { getCity, addCity, secret, failing, slow, modes, signIn, newKey });

const kv = memoryKv();
const web = sessions({ store: kv });
const visits = cookie("__Host-visits", { schema: t.int32(), signed: true });
const keys = new Map();
const callers = [
  web.middleware,
  cookies([visits], { keys: ["0123456789abcdef0123456789abcdef"] }),
  rateLimit({ limit: 2, window: "1h", by: (call) => call.header("x-limited"), store: kv }),
  idempotency({ store: kv }),
];

/** Answers what is no operation's: a body in pieces, made as it is read. */
const streaming = middleware({
  wire: (next) => (request) => {
    const headers = new HeaderBlock(["content-type", "text/plain"]);
    if (request.target === "/stream") return { status: 200, headers, body: pieces() };
    return request.target === "/long" ? { status: 200, headers, body: long } : next(request);
  },
});

const long = "A long answer says the same thing again. ".repeat(1000);
const standard = [
  requestId(),
  securityHeaders(),
  cors({ origins: ["https://app.example"] }),
  csrf(),
  compression(),
  etag(),
];

async function* pieces() {
  const encoder = new TextEncoder();
  for (let i = 0; i < 5; i++) {
    await Promise.resolve();
    yield encoder.encode(`piece ${i}\n`);
  }
}

const known = { id: 1, name: "Zürich", tags: ["lake", "🏔"] };

export const app = implement(cities, {
  authenticate: anyOf(
    (request) => (request.header("authorization") === "Bearer ann" ? { subject: "ann" } : undefined),
    apiKeys({ prefix: "edge", lookup: (id) => keys.get(id) }),
    web.authenticate,
  ),
  middleware: [...standard, ...callers, streaming],
  handlers: {
    getCity: ({ input: { id, shout } }) =>
      id === 1 ? { ...known, name: shout ? known.name.toUpperCase() : known.name } : CityNotFound({ id }),
    addCity: async ({ input }) => input,
    secret: ({ auth }) => ({ subject: auth.subject }),
    signIn: async function* ({ input, session, cookies: jar }) {
      yield* await session.signIn({ subject: input.name });
      const count = (jar.get(visits) ?? 0) + 1;
      jar.set(visits, count);
      return { visits: count };
    },
    newKey: async ({ auth }) => {
      const { key, id, hash } = await newApiKey("edge");
      keys.set(id, { hash, principal: { subject: `${auth.subject}'s key` } });
      return { key };
    },
    failing: () => {
      throw new Error("nobody's business");
    },
    slow: async ({ input: { ms }, signal }) => {
      await new Promise((resolve, reject) => {
        setTimeout(resolve, ms);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      return { waited: ms };
    },
    // A schema compiled while a request is answered.
    modes: () => ({ early: early.mode, late: compile(t.object({ a: t.string() })).mode }),
  },
});
