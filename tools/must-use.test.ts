import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { droppedResults } from "./must-use.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
// Inside the tree, so that the fixtures use the real Result and the real compiler options.
const folder = mkdtempSync(join(root, "node_modules", ".must-use-"));
after(() => rmSync(folder, { recursive: true }));

const head = `
import { ok, err, type Result } from "${root}src/core/index.ts";
declare function save(): Result<number, string>;
declare function enqueue(): Promise<Result<string, string>>;
declare const some: boolean;
declare const list: number[];
declare function each(f: (x: number) => void): void;
declare function mapped<T>(f: (x: number) => T): T[];
declare function fallible<R extends Result<unknown, unknown>>(f: () => R): R;
let kept: Result<number, string>;
`;
const start = head.split("\n").length;

const cases: readonly { readonly code: string; readonly dropped: boolean }[] = [
  { code: "ok(1);", dropped: true },
  { code: 'err("no");', dropped: true },
  { code: "save();", dropped: true },
  { code: "await enqueue();", dropped: true },
  { code: "some && save();", dropped: true },
  { code: "some ? save() : undefined;", dropped: true },
  { code: "(save());", dropped: true },
  { code: "list.forEach(() => save());", dropped: true },
  { code: "each(() => save());", dropped: true },
  { code: "fallible(() => save());", dropped: true },
  { code: "async function inner() { await enqueue(); } void inner;", dropped: true },
  { code: "function generic<R extends Result<number, string>>(r: () => R) { r(); } void generic;", dropped: true },
  { code: "void save();", dropped: false },
  { code: "void (await enqueue());", dropped: false },
  { code: "void enqueue();", dropped: false },
  { code: "kept = save();", dropped: false },
  { code: "const own = save(); void own;", dropped: false },
  { code: "list.push(save().ok ? 1 : 2);", dropped: false },
  { code: "void list.map(() => save());", dropped: false },
  { code: "void mapped(() => save());", dropped: false },
  { code: "each(() => void save());", dropped: false },
  { code: "function* early() { yield* save(); } void early;", dropped: false },
  { code: "list.sort();", dropped: false },
];

test("a dropped Result is an error, a used or voided one is not", () => {
  writeFileSync(join(folder, "cases.ts"), head + cases.map(({ code }) => code).join("\n"));
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      include: ["cases.ts"],
      exclude: [],
      compilerOptions: { types: [] },
    }),
  );
  const lines = new Set(droppedResults(join(folder, "tsconfig.json")).map(({ line }) => line));
  for (const [i, { code, dropped }] of cases.entries()) {
    assert.equal(lines.has(start + i), dropped, `${dropped ? "not caught" : "wrongly caught"}: ${code}`);
  }
});
