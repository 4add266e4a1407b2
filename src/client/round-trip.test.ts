import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arbitrarySchema, arbitraryValue } from "../../tools/random-schemas.ts";
import {
  bind,
  contract,
  fault,
  implementContract,
  mutation,
  query,
  type Jobs,
  type Operation,
} from "../contract/index.ts";
import { err, systemClock, type Fault, type Result } from "../core/index.ts";
import { createFetch, createHttpHandler } from "../http/index.ts";
import { decode, encode, t, type AnySchema, type FieldNode, type Node } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { createClient } from "./index.ts";

const scalar: fc.Arbitrary<Node> = fc.constantFrom<Node[]>(
  t.string(),
  t.string({ maxLength: 5 }),
  t.int32(),
  t.int(),
  t.int64(),
  t.float(),
  t.boolean(),
  t.timestamp(),
  t.duration(),
  t.bytes({ maxLength: 8 }),
  t.decimal({ precision: 9, scale: 3 }),
  t.enum(["a b", "ü&=", "%2F", "+"]),
  t.literal("null"),
  t.literal(7),
  t.literal(true),
  t.brand(t.string(), "Id"),
);

/**
 * A random value need not fit where conditions are on it: a key's length, a refinement. Undefined where none of a few does: a schema may
 * have no such value at all, and looking for one would have no end.
 */
function fittingValue(object: Node): fc.Arbitrary<unknown> {
  return fc
    .array(arbitraryValue(object), { minLength: 8, maxLength: 8 })
    .map((values) => values.find((value) => encode(object, value).ok));
}

interface Made {
  readonly operation: Operation;
  readonly object: AnySchema;
  readonly value: { readonly [field: string]: unknown };
  /** Fields by the place where they travel as text. */
  readonly path: readonly string[];
  readonly header: readonly string[];
}

/** An operation whose fields travel everywhere, and an input for it. */
const made: fc.Arbitrary<Made> = fc
  .record({
    path: fc.array(scalar, { maxLength: 2 }),
    header: fc.array(
      fc.oneof(
        scalar,
        scalar.map((item) => t.array(item)),
      ),
      { maxLength: 2 },
    ),
    texts: fc.array(
      fc.oneof(
        scalar,
        scalar.map((item) => t.optional(item)),
        scalar.map((item) => t.array(item)),
      ),
      { maxLength: 3 },
    ),
    rest: fc.array(
      fc.oneof(
        arbitrarySchema(),
        arbitrarySchema().map((node) => t.optional(node)),
      ),
      { maxLength: 3 },
    ),
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
    renamed: fc.boolean(),
  })
  .chain(({ path, header, texts, rest, method, renamed }) => {
    const body = method === "POST" || method === "PUT";
    const shape: { [name: string]: AnySchema } = {};
    const put = (prefix: string, nodes: readonly FieldNode[]): string[] =>
      nodes.map((node, i) => {
        shape[`${prefix}${i}`] = renamed ? t.rename(node, `${prefix}-${i}`) : node;
        return `${prefix}${i}`;
      });
    const names = {
      path: put("p", path),
      header: put("h", header),
      query: put("q", texts),
      rest: body ? put("b", rest) : [],
    };
    const options = {
      access: "public" as const,
      http: {
        route: `${method} /at${names.path.map((name) => `/{${name}}`).join("")}`,
        headers: Object.fromEntries(names.header.map((name) => [name, `X-${name}`])),
        query: names.query,
      },
      input: shape,
      output: { echo: t.object(shape) },
    };
    const operation = method === "GET" ? query("call", options) : mutation("call", options);
    const object = t.object(shape);
    const { path: inPath, header: inHeader } = names;
    return fittingValue(object).map((value) => ({
      operation,
      object,
      value: value as Made["value"],
      path: inPath,
      header: inHeader,
    }));
  })
  .filter(({ value }) => value !== undefined);

async function call(operation: Operation, input: unknown): Promise<Result<unknown, Fault>> {
  const one = contract("one.v1", { call: operation });
  const implemented = implementContract(one, {
    handlers: { call: (given: { input: unknown }) => ({ echo: given.input }) },
  });
  const app = bind(implemented, {
    clock: systemClock,
    events: new Events(),
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
  });
  const client = createClient(one, { url: "http://local", fetch: createFetch(createHttpHandler(app)) }) as {
    readonly call: (input: unknown) => Promise<Result<unknown, Fault>>;
  };
  return client.call(input);
}

/** Whether every text can stand where it must, by the rules of docs/rest.md. */
function canTravel({ object, value, path, header }: Made): boolean {
  const wire = encode(object, value);
  assert.ok(wire.ok);
  const fields = wire.value as { readonly [name: string]: unknown };
  const of = (name: string): unknown => fields[name] ?? fields[`${name.charAt(0)}-${name.slice(1)}`];
  const texts = Object.values(fields)
    .flat()
    .filter((one) => typeof one === "string");
  const fits = (item: unknown, list: boolean): boolean => {
    const text = String(item);
    return /^[\x20-\x7e]*$/.test(text) && text.trim() === text && !(list && (text === "" || text.includes(",")));
  };
  return (
    texts.every((text) => text.isWellFormed()) &&
    path.every((name) => !["", ".", ".."].includes(String(of(name)))) &&
    header.every((name) => {
      const item = of(name);
      return Array.isArray(item) ? item.every((one) => fits(one, true)) : fits(item, false);
    })
  );
}

const numRuns = Number(process.env["TENSILE_RUNS"] ?? 80);

test("whatever an operation's fields are and wherever they travel, the handler gets what the caller wrote, and gives it back", async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(made, async (one) => {
      const result = await call(one.operation, one.value);
      if (!result.ok) {
        refused++;
        assert.equal(result.fault.code, "INVALID_INPUT", result.fault.message);
        assert.equal(canTravel(one), false, JSON.stringify(result.fault.data));
        return;
      }
      const wire = encode(one.object, one.value);
      assert.ok(wire.ok);
      const expected = decode(one.object, JSON.parse(JSON.stringify(wire.value)));
      assert.ok(expected.ok);
      assert.deepEqual((result.value as { echo: unknown }).echo, expected.value);
    }),
    { numRuns },
  );
  assert.ok(refused < numRuns / 2, `${refused} of ${numRuns} could not travel`);
});

test("whatever a fault's data are, the caller gets them", async () => {
  const data = fc
    .array(arbitrarySchema(), { maxLength: 3 })
    .chain((nodes) => {
      const shape = Object.fromEntries(nodes.map((node, i) => [`d${i}`, node]));
      return fittingValue(t.object(shape)).map((value) => ({ shape, value }));
    })
    .filter(({ value }) => value !== undefined);
  await fc.assert(
    fc.asyncProperty(data, fc.string(), async ({ shape, value }, message) => {
      const Odd = fault("ODD", { kind: "conflict", data: shape });
      const operation = query("call", { access: "public", input: {}, output: {}, faults: [Odd] });
      const one = contract("one.v1", { call: operation });
      const implemented = implementContract(one, {
        handlers: { call: () => err(Odd(value as never, message)) as never },
      });
      const events = new Events();
      events.on("defect", ({ error }) => assert.fail(String(error)));
      const app = bind(implemented, {
        clock: systemClock,
        events,
        jobs: {} as Jobs,
        shutdown: new AbortController().signal,
        newId: () => "i1",
      });
      const client = createClient(one, { url: "http://local", fetch: createFetch(createHttpHandler(app)) });
      const result = await client.call();
      assert.ok(!result.ok && result.fault.code === "ODD", result.ok ? "ok" : result.fault.message);
      const wire = encode(Odd.schema, value as never);
      assert.ok(wire.ok);
      const expected = decode(Odd.schema, JSON.parse(JSON.stringify(wire.value)));
      assert.deepEqual(result.fault.data, expected.ok ? expected.value : undefined);
    }),
    { numRuns },
  );
});
