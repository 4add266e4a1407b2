import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startExample } from "../testing/example-process.ts";

test("says hello, says why not, and stops when it is told to", async () => {
  await using hello = startExample(join(import.meta.dirname, "main.ts"));
  const url = (await hello.until(/^curl (http:\S+)\/hello\/Ada\nopen \1\/docs\n/))[1] ?? "";
  const answer = async (path: string): Promise<unknown> => (await fetch(url + path)).json();

  assert.deepEqual(await answer("/hello/Ada"), { text: "Hello, Ada!" });
  assert.deepEqual(await answer("/hello/Ada?times=3"), { text: "Hello, Ada! Hello! Hello!" });
  assert.deepEqual(await answer("/hello/Tensile"), {
    type: "/problems/NAME_TAKEN",
    title: "Conflict",
    status: 409,
    code: "NAME_TAKEN",
    detail: "Conflict",
    data: { name: "Tensile" },
  });
  assert.match(JSON.stringify(await answer("/hello/Ada?times=11")), /INVALID_INPUT.*\/times/);
  assert.equal((await fetch(`${url}/docs`)).status, 200);

  hello.signal("SIGTERM");
  const { code, stderr } = await hello.exited;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});
