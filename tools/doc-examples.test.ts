import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkExamples, type Example, examplesInMarkdown, examplesInSource } from "./doc-examples.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const document = [
  "# How",
  "```ts",
  "// one.ts",
  'import { ok } from "tensile";',
  "export const one = ok(1);",
  "```",
  "```sh",
  "npm start",
  "```",
  "- in a list:",
  "  ```ts",
  '  import { one } from "./one.ts";',
  "  const text: string = one.value;",
  "  ```",
  "```ts fragment",
  "const both = all([result, ok(1)]);",
  "```",
].join("\n");

const source = [
  "/** A clock. */",
  "/**",
  " * Halves.",
  " *",
  " * @example",
  " * const two = durationMs(`4s`) / 2;",
  " * const bad: string = durationMs(someDuration);",
  " * @returns half",
  " */",
].join("\n");

test("blocks of Markdown are found with their lines and names", () => {
  const found = examplesInMarkdown("how.md", document);
  assert.deepEqual(
    found.map(({ line, name, fragment }) => ({ line, name, fragment })),
    [
      { line: 3, name: "one.ts", fragment: false },
      { line: 12, name: undefined, fragment: false },
      { line: 16, name: undefined, fragment: true },
    ],
  );
  assert.equal(found[1]?.code, 'import { one } from "./one.ts";\nconst text: string = one.value;');
});

test("an @example ends at the next tag", () => {
  const [found, ...more] = examplesInSource("src/core/duration.ts", source);
  assert.deepEqual(more, []);
  assert.equal(found?.line, 5);
  assert.equal(found?.code.trim().split("\n").length, 2);
});

test("the compiler's complaints come with the line of the document; names of the face are imported, unknown ones stand for anything", () => {
  const problems = checkExamples(root, [
    ...examplesInMarkdown("how.md", document),
    ...examplesInSource("src/core/duration.ts", source),
  ]);
  assert.deepEqual(
    problems.map((problem) => problem.split(" ")[0] + (/TS\d+/.exec(problem)?.[0] ?? "")),
    ["how.md:13:TS2322", "src/core/duration.ts:7:TS2322"],
  );
});

test("a misspelt name of the face, an undeclared name in a whole module, and a missing case are errors", () => {
  const example = (code: string, fragment: boolean): Example => ({
    file: "how.md",
    line: 1,
    code,
    fragment,
    name: undefined,
  });
  const count = (code: string, fragment: boolean): number => checkExamples(root, [example(code, fragment)]).length;
  assert.equal(count("const a = undeclared;", true), 0);
  assert.equal(count("const a = undeclared;", false), 1);
  assert.equal(count('import { matsch } from "tensile"; void matsch;', true), 1);
  assert.equal(count("const a = durationMS('1s');", true), 1);
  assert.equal(count("const a: Undeclared = { also };", true), 0);
  assert.equal(count("store.write((tx) => tx.insert(row));", true), 0);
  assert.equal(count("const rows = yield* await openSource();\nreturn rows;", true), 0);
});
