/** Values that come as texts, in paths, queries and headers: read strictly, in both modes. */
import assert from "node:assert/strict";
import { t } from "./index.ts";
import { bothModes, issuesOf, valueOf } from "./testing/both-modes.ts";

bothModes("texts of a query are read strictly", ({ text }) => {
  const read = text({
    page: t.default(t.int32({ minimum: 1 }), 1),
    big: t.optional(t.int64()),
    ratio: t.optional(t.float()),
    on: t.optional(t.boolean()),
    tag: t.optional(t.array(t.enum(["a", "b"]))),
    since: t.optional(t.timestamp()),
    id: t.optional(t.rename(t.int(), "user-id")),
    name: t.optional(t.string()),
    two: t.optional(t.literal(2)),
  });
  const of = (values: { readonly [name: string]: string | string[] }): unknown =>
    read((name) => (Object.hasOwn(values, name) ? values[name] : undefined));
  assert.deepStrictEqual(valueOf(of({})), { page: 1 });
  assert.deepStrictEqual(
    valueOf(
      of({
        page: "12",
        big: "9007199254740993",
        ratio: "-1.5e3",
        on: "true",
        tag: ["a", "b"],
        since: "1970-01-01T00:00:01Z",
        "user-id": ["5"],
        name: "",
        two: "2",
      }),
    ),
    {
      page: 12,
      big: 9007199254740993n,
      ratio: -1500,
      on: true,
      tag: ["a", "b"],
      since: new Date(1000),
      id: 5,
      name: "",
      two: 2,
    },
  );
  assert.deepStrictEqual(valueOf(of({ tag: "a" })), { page: 1, tag: ["a"] });
  for (const page of [
    "",
    " 1",
    "1 ",
    "0x10",
    "1e3",
    "+1",
    "01",
    "1.0",
    "٣",
    "Infinity",
    "-0",
    "0",
    "99999999999999999999",
  ]) {
    assert.equal(issuesOf(of({ page })).length, 1, page);
  }
  for (const ratio of ["", ".5", "1.", "NaN", "Infinity", "1e999", "0x1", "1_000"])
    assert.deepStrictEqual(issuesOf(of({ ratio })), ["/ratio type"], ratio);
  for (const on of ["1", "yes", "TRUE", ""]) assert.deepStrictEqual(issuesOf(of({ on })), ["/on type"]);
  assert.deepStrictEqual(issuesOf(of({ page: ["1", "2"], tag: ["a", "c"] })), ["/page type", "/tag/1 enum"]);
});
