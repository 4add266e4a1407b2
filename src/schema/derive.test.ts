import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, ignoreUnknownFields, pickFields, t, type ObjectNode, type Schema } from "./index.ts";

const City = t.object("City", {
  id: t.int32(),
  name: t.rename(t.string(), "n"),
  tags: t.default(t.array(t.string()), []),
});

test("a picked object has the fields named, their wire names and their defaults, and no others", () => {
  const node: ObjectNode = City;
  const picked = pickFields(node, node.fields.slice(1));
  assert.deepEqual(
    decode(picked, { n: "Bern" }),
    decode(t.object({ name: t.rename(t.string(), "n"), tags: t.default(t.array(t.string()), []) }), { n: "Bern" }),
  );
  assert.equal(decode(picked, { n: "Bern", id: 1 }).ok, false);
});

test("a tolerant schema ignores unknown fields at every depth, and is as strict as before in everything else", () => {
  interface Tree {
    name: string;
    children: Tree[];
  }
  const Tree = t.object("Tree", { name: t.string(), children: t.array(t.ref((): Schema<Tree> => Tree)) });
  const Page = t.object({
    trees: t.map(t.nullable(Tree)),
    shape: t.tagged("Shape", "type", { dot: { at: t.tuple([City, t.int32()]) } }),
  });
  const wire = {
    trees: { a: { name: "a", children: [{ name: "b", children: [], more: 1 }], more: 2 }, b: null },
    shape: { type: "dot", at: [{ id: 1, n: "Bern", more: [] }, 2], more: {} },
    more: true,
  };
  assert.equal(decode(Page, wire).ok, false);
  const tolerant = ignoreUnknownFields(Page);
  assert.deepEqual(
    structuredClone(decode(tolerant, wire)),
    structuredClone({
      ok: true,
      value: {
        trees: { a: { name: "a", children: [{ name: "b", children: [] }] }, b: null },
        shape: { type: "dot", at: [{ id: 1, name: "Bern", tags: [] }, 2] },
      },
    }),
  );
  assert.equal(decode(tolerant, { ...wire, shape: { type: "dot", at: [{ id: "1", n: "Bern" }, 2] } }).ok, false);
  assert.equal(ignoreUnknownFields(Page), tolerant);
});
