import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fixtureName, typeMessageFailures } from "./type-messages.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(root, "node_modules", ".type-messages-test-"));
after(() => rmSync(folder, { recursive: true }));

const own: readonly { readonly name: string; readonly text: string; readonly problems: readonly RegExp[] }[] = [
  {
    name: "an expected message above its line",
    text: "// THROWS TS2322 Type 'string' is not assignable to type 'number'\nexport const a: number = 'x';\n",
    problems: [],
  },
  {
    name: "an expected message at the end of its line",
    text: "export const a: number = 'x'; // THROWS TS2322 Type 'string' … type 'number'\n",
    problems: [],
  },
  {
    name: "a message with its explanation",
    text:
      "// THROWS TS2322 Type '{ b: string; }' is not assignable\n// THROWS ... Type 'string' is not assignable to type 'number'\n" +
      "export const a: { c: { b: number } } = { c: ({ b: 'x' }) as { b: string } };\n",
    problems: [],
  },
  {
    name: "two mistakes on one line",
    text: "// THROWS TS2322 'string'\n// THROWS TS2322 'boolean'\nexport const [a, b]: [number, number] = ['x', true];\n",
    problems: [],
  },
  {
    name: "a mistake that compiles",
    text: "// THROWS TS2322 Type\nexport const a: number = 1;\n",
    problems: [/line 2: compiles, but TS2322 was expected/],
  },
  {
    name: "another code",
    text: "// THROWS TS2345 Type 'string'\nexport const a: number = 'x';\n",
    problems: [/line 2: expected TS2345 .*\n {2}found {4}TS2322/],
  },
  {
    name: "another text",
    text: "// THROWS TS2322 Type 'string' is a duck\nexport const a: number = 'x';\n",
    problems: [/line 2: expected TS2322 Type 'string' is a duck/],
  },
  {
    name: "an error that nobody expected",
    text: "// THROWS TS2322 Type 'string'\nexport const a: number = 'x';\nexport const b: number = 'y';\n",
    problems: [/line 3: unexpected TS2322/],
  },
  { name: "a file that expects nothing", text: "export const a = 1;\n", problems: [/expects no error/] },
];

test("the tool tells what is as expected from what is not", () => {
  const files = own.map(({ text }, i) => {
    const file = join(folder, `case-${i}.fail.ts`);
    writeFileSync(file, text);
    return file;
  });
  const failures = typeMessageFailures(files);
  for (const [i, { name, problems }] of own.entries()) {
    const found = failures.get(files[i] as string) ?? [];
    assert.equal(found.length, problems.length, `${name}: ${found.join("\n")}`);
    for (const [j, problem] of problems.entries()) assert.match(found[j] as string, problem, name);
  }
});

const fixtures = globSync("src/**/*.fail.ts", { cwd: root }).map((file) => join(root, file));
const failures = fixtures.length === 0 ? new Map<string, string[]>() : typeMessageFailures(fixtures);
for (const file of fixtures) {
  test(`the compiler answers the mistakes in ${fixtureName(file)} as they expect`, () => {
    const problems = failures.get(file) ?? [];
    if (problems.length > 0) assert.fail(`\n${problems.join("\n")}`);
  });
}
