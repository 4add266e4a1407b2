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

const cases: readonly { readonly code: string; readonly fragment: boolean; readonly problems: number }[] = [
  { code: "const a = undeclared;", fragment: true, problems: 0 },
  { code: "const a = undeclared;", fragment: false, problems: 1 },
  { code: 'import { matsch } from "tensile"; void matsch;', fragment: true, problems: 1 },
  { code: "const a = matchFaults(fault, {});", fragment: true, problems: 1 },
  { code: "const a: Undeclared = { also };", fragment: true, problems: 0 },
  { code: "store.write((tx) => tx.insert(row));", fragment: true, problems: 0 },
  { code: "const rows = yield* await openSource();\nreturn rows;", fragment: true, problems: 0 },
  { code: "const gone = CityNotFound({ id: 1 });", fragment: true, problems: 0 },
  { code: "const gone = CityNotFound({ name: 1 });", fragment: true, problems: 1 },
];

test("a misspelt name of the face, an undeclared name in a whole module, and a wrong use of the tour's contract are errors", () => {
  const examples = cases.map(({ code, fragment }, i): Example => ({
    file: `case-${i}.md`,
    line: 1,
    code,
    fragment,
    name: undefined,
  }));
  const problems = checkExamples(root, examples);
  for (const [i, { code, problems: expected }] of cases.entries()) {
    const found = problems.filter((problem) => problem.startsWith(`case-${i}.md:`));
    assert.equal(found.length, expected, `${code}\n${found.join("\n")}`);
  }
});
