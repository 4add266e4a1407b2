/** What TypeScript infers from schemas, and what it says to wrong use. Checked by tsc; running only proves that it loads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { t, type Infer, type InferInput, type Schema } from "./index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(verdict: Equal<A, B>): void {
  assert.equal(verdict, true);
}

const City = t.object("City", {
  id: t.int32(),
  population: t.int64(),
  founded: t.optional(t.timestamp()),
  mayor: t.nullable(t.string()),
  tags: t.default(t.array(t.string()), []),
  kind: t.enum(["town", "city"]),
  place: t.tuple([t.float(), t.float()]),
  extra: t.map(t.boolean()),
  owner: t.brand(t.string(), "UserId"),
  version: t.literal(2),
});

test("a decoded object has every field but the optional ones", () => {
  type City = Infer<typeof City>;
  same<City["id"], number>(true);
  same<City["population"], bigint>(true);
  same<City["tags"], string[]>(true);
  same<City["kind"], "town" | "city">(true);
  same<City["place"], [number, number]>(true);
  same<City["version"], 2>(true);
  same<City["mayor"], string | null>(true);
  same<undefined extends City["founded"] ? true : false, true>(true);
  same<City["extra"], { [key: string]: boolean }>(true);
  same<Infer<ReturnType<typeof small>>, { a: number; b?: string }>(true);
});

function small() {
  return t.object({ a: t.int32(), b: t.optional(t.string()) });
}

test("a caller may leave out a default and writes an unbranded value", () => {
  const input: InferInput<typeof City> = {
    id: 1,
    population: 2n,
    mayor: null,
    kind: "town",
    place: [1, 2],
    extra: {},
    owner: "u1",
    version: 2,
  };
  assert.equal(input.id, 1);
  same<InferInput<ReturnType<typeof small>>, { readonly a: number; readonly b?: string | undefined }>(true);
});

test("a tagged union is a union of its variants with the tag", () => {
  const Shape = t.tagged("Shape", "type", { circle: { radius: t.float() }, square: { side: t.default(t.float(), 1) } });
  same<Infer<typeof Shape>, { type: "circle"; radius: number } | { type: "square"; side: number }>(true);
});

test("a recursive schema is written with its type once", () => {
  interface Tree {
    name: string;
    note?: string;
    children: Tree[];
  }
  const Tree = t.object("Tree", {
    name: t.string(),
    note: t.optional(t.string()),
    children: t.array(t.ref((): Schema<Tree> => Tree)),
  });
  same<Infer<typeof Tree>["children"], Tree[]>(true);
  const input: InferInput<typeof Tree> = { name: "a", children: [{ name: "b", note: undefined, children: [] }] };
  assert.equal(input.children.length, 1);
});

test("wrong use does not compile", () => {
  // @ts-expect-error -- a default must fit its schema
  assert.throws(() => t.default(t.int32(), "1"), TypeError);
  // @ts-expect-error -- a shape holds schemas
  assert.throws(() => t.object({ id: 5 }), TypeError);
  // @ts-expect-error -- a format must be known
  assert.throws(() => t.string({ format: "phone" }), TypeError);
  // @ts-expect-error -- the bounds of an int64 are bigints
  assert.throws(() => t.int64({ minimum: 1 }), TypeError);
});
