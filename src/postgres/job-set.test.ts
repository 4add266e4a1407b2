import assert from "node:assert/strict";
import { test } from "node:test";
import { JobSet } from "./job-set.ts";

test("ids are there from when they are added until they are deleted", () => {
  const set = new JobSet();
  assert.deepEqual(
    ["512", "513", "1023", "1024", "4398046511104"].map((id) => set.add(id)),
    [true, true, true, true, true],
  );
  assert.equal(set.add("513"), false);
  assert.deepEqual([...set], ["512", "513", "1023", "1024", "4398046511104"]);
  assert.deepEqual([set.delete("513"), set.delete("513"), set.delete("2048")], [true, false, false]);
  for (const id of ["512", "1023", "1024", "4398046511104"]) assert.equal(set.delete(id), true);
  assert.deepEqual([...set], []);
});

test("while they are gone through, they may be deleted", () => {
  const set = new JobSet();
  for (let id = 1_024; id < 2_048; id++) set.add(String(id));
  for (const id of set) set.delete(id);
  assert.deepEqual([...set], []);
});
