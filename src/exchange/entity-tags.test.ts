import assert from "node:assert/strict";
import { test } from "node:test";
import { namesTag } from "./index.ts";

test("a list names a tag, a star names every one, nonsense names none", () => {
  for (const list of ['"v1"', ' "a" , "v1"', '"a","v1","b"', "*", " * "]) {
    assert.equal(namesTag(list, '"v1"', "strong"), true, list);
    assert.equal(namesTag(list, '"v1"', "weak"), true, list);
  }
  for (const list of ["", "v1", '"v1', "'v1'", '"V1"', '"v11"', '"a, v1"', '"v 1"', "w/v1"]) {
    assert.equal(namesTag(list, '"v1"', "strong"), false, list);
    assert.equal(namesTag(list, '"v1"', "weak"), false, list);
  }
});

test("weak tags equal by meaning alone (RFC 9110 section 8.8.3.2)", () => {
  const table: [string, string, boolean, boolean][] = [
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', 'W/"1"', false, true],
    ['"1"', '"1"', true, true],
  ];
  for (const [list, tag, strong, weak] of table)
    assert.deepEqual([namesTag(list, tag, "strong"), namesTag(list, tag, "weak")], [strong, weak], `${list} ${tag}`);
});
