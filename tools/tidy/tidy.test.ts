import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { tidy } from "../tidy.ts";
import { floors } from "./floors.ts";
import { lengthRule } from "./text.ts";
import { loadTree } from "./tree.ts";

type Files = { readonly [path: string]: string };

/** A small tree with nothing to complain about. */
const clean: Files = {
  "package.json": JSON.stringify({ name: "tensile", exports: { ".": "./src/index.ts" } }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      noLib: true,
      types: [],
      module: "nodenext",
      target: "es2024",
      allowImportingTsExtensions: true,
      noEmit: true,
    },
  }),
  "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n- All of it.\n\n## 0.1.0\n",
  "docs/errors.md":
    "# Errors\n\n| code | kind | when | what to do |\n|---|---|---|---|\n| `OLD` | `gone` | when it is old | forget it |\n",
  "README.md": "See [the errors](docs/errors.md#errors).\n",
  "src/index.ts":
    '/** The root face. */\nexport { one } from "./core/index.ts";\nexport { two } from "./http/index.ts";\n',
  "src/core/index.ts": '/** Floor 0. */\nexport { one } from "./one.ts";\n',
  "src/core/one.ts": "/** The number. */\nexport const one = 1;\n",
  "src/http/index.ts":
    '/** Floor 3. */\nimport { one } from "../core/index.ts";\nexport const two = [one, new Fault("OLD", "gone")];\n',
};

const folder = mkdtempSync(join(tmpdir(), "tidy-"));
after(() => rmSync(folder, { recursive: true }));
let trees = 0;

function write(changes: Files): string {
  const root = join(folder, String(trees++));
  for (const [path, text] of Object.entries({ ...clean, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

test("a clean tree has no complaints", () => {
  assert.deepEqual(tidy(write({})), []);
});

/** Each change to the clean tree must bring exactly these complaints: `file [rule]`. */
const broken: readonly { readonly name: string; readonly files: Files; readonly complaints: readonly string[] }[] = [
  {
    name: "a folder imports a higher floor",
    files: {
      "src/core/one.ts": '/** The number. */\nimport { two } from "../http/index.ts";\nexport const one = () => two;\n',
      "src/http/index.ts": '/** Floor 3. */\nexport const two = [new Fault("OLD", "gone")];\n',
    },
    complaints: ["src/core/one.ts [floors]"],
  },
  {
    name: "equals import each other",
    files: {
      "src/jobs/index.ts": '/** Floor 3. */\nimport { two } from "../http/index.ts";\nexport const three = two;\n',
      "src/index.ts": `${clean["src/index.ts"]}export { three } from "./jobs/index.ts";\n`,
    },
    complaints: ["src/jobs/index.ts [floors]"],
  },
  {
    name: "a type import climbs",
    files: {
      "src/core/one.ts":
        '/** The number. */\nimport type { two } from "../http/index.ts";\nexport const one: typeof two = 1;\n',
      "src/http/index.ts": '/** Floor 3. */\nexport const two = [new Fault("OLD", "gone")];\n',
    },
    complaints: ["src/core/one.ts [floors]"],
  },
  {
    name: "a dynamic import climbs",
    files: {
      "src/core/one.ts": '/** The number. */\nexport const one = () => import("../http/index.ts");\n',
      "src/http/index.ts": '/** Floor 3. */\nexport const two = [new Fault("OLD", "gone")];\n',
    },
    complaints: ["src/core/one.ts [floors]"],
  },
  {
    name: "a folder without a floor",
    files: {
      "src/attic/index.ts": "/** Old things. */\nexport const old = 1;\n",
      "src/index.ts": `${clean["src/index.ts"]}export { old } from "./attic/index.ts";\n`,
    },
    complaints: ["src/attic/index.ts [floors]"],
  },
  {
    name: "an import past the front door",
    files: {
      "src/http/index.ts":
        '/** Floor 3. */\nimport { one } from "../core/one.ts";\nexport const two = [one, new Fault("OLD", "gone")];\n',
    },
    complaints: ["src/http/index.ts [front-door]"],
  },
  {
    name: "an import past the front door of an inner folder",
    files: {
      "src/http/index.ts":
        '/** Floor 3. */\nimport { wire } from "./engine/wire.ts";\nexport const two = [wire, new Fault("OLD", "gone")];\n',
      "src/http/engine/index.ts": '/** The engine. */\nexport { wire } from "./wire.ts";\n',
      "src/http/engine/wire.ts": "/** The wire. */\nexport const wire = 1;\n",
      "src/http/engine/index.test.ts": 'import { wire } from "./index.ts";\nvoid wire;\n',
    },
    complaints: ["src/http/engine/index.ts [dead-file]", "src/http/index.ts [front-door]"],
  },
  {
    name: "a test that goes past the front door",
    files: { "src/http/two.test.ts": 'import { one } from "../core/one.ts";\nvoid one;\n' },
    complaints: ["src/http/two.test.ts [front-door]"],
  },
  {
    name: "an example that does not import by name",
    files: { "examples/hello/main.ts": 'import { one } from "../../src/index.ts";\nvoid one;\n' },
    complaints: ["examples/hello/main.ts [front-door]"],
  },
  {
    name: "a folder without a face",
    files: {
      "src/http/index.ts": clean["src/http/index.ts"] as string,
      "src/jobs/state.ts": "/** States. */\nconst state = 1;\nvoid state;\n",
    },
    complaints: ["src/jobs [face]", "src/jobs/state.ts [dead-file]"],
  },
  {
    name: "files in a ring",
    files: {
      "src/core/one.ts": '/** The number. */\nimport { zero } from "./zero.ts";\nexport const one = () => zero;\n',
      "src/core/zero.ts": '/** Nothing. */\nimport type { one } from "./one.ts";\nexport const zero: typeof one = 0;\n',
    },
    complaints: ["src/core/one.ts [cycle]"],
  },
  {
    name: "folders in a ring",
    files: {
      "src/http/index.ts":
        '/** Floor 3. */\nimport { a } from "./left/a.ts";\nexport const two = [a, new Fault("OLD", "gone")];\n',
      "src/http/left/a.ts": '/** A. */\nimport { b } from "../right/b.ts";\nexport const a = b;\n',
      "src/http/left/c.ts": "/** C. */\nexport const c = 1;\n",
      "src/http/right/b.ts": '/** B. */\nimport { c } from "../left/c.ts";\nexport const b = c;\n',
    },
    complaints: ["src/http/left [cycle]"],
  },
  {
    name: "an export that nobody takes",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = 1;\nexport const more = 2;\n" },
    complaints: ["src/core/one.ts [dead-export]"],
  },
  {
    name: "an exported type that nobody names",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = 1;\nexport type More = 2;\n" },
    complaints: ["src/core/one.ts [dead-export]"],
  },
  {
    name: "a name in a face that nobody takes",
    files: {
      "src/core/index.ts": '/** Floor 0. */\nexport { more, one } from "./one.ts";\n',
      "src/core/one.ts": "/** The number. */\nexport const one = 1;\nexport const more = 2;\n",
    },
    complaints: ["src/core/index.ts [dead-export]"],
  },
  {
    name: "a file that nobody reaches",
    files: { "src/core/lost.ts": "/** Lost. */\nconst lost = 1;\nvoid lost;\n" },
    complaints: ["src/core/lost.ts [dead-file]"],
  },
  {
    name: "a file that only its test reaches",
    files: {
      "src/core/lost.ts": "/** Lost. */\nexport const lost = 1;\n",
      "src/core/lost.test.ts": 'import { lost } from "./lost.ts";\nvoid lost;\n',
    },
    complaints: ["src/core/lost.ts [dead-file]"],
  },
  {
    name: "a node: module below the root face",
    files: { "src/core/one.ts": '/** The number. */\nimport { cpus } from "node:os";\nexport const one = cpus;\n' },
    complaints: ["src/core/one.ts [portable]"],
  },
  {
    name: "a node: module that inline types still load",
    files: {
      "src/core/one.ts":
        '/** The number. */\nimport { type CpuInfo } from "node:os";\nexport const one: CpuInfo = 1;\n',
    },
    complaints: ["src/core/one.ts [portable]"],
  },
  {
    name: "a global of Node below the root face",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = () => Buffer.alloc(1);\n" },
    complaints: ["src/core/one.ts [portable]"],
  },
  {
    name: "a sub-path that names no file",
    files: {
      "package.json": JSON.stringify({
        name: "tensile",
        exports: { ".": "./src/index.ts", "./sqlite": "./src/sqlite/index.ts" },
      }),
    },
    complaints: ["package.json [exports]"],
  },
  {
    name: "a public folder without a sub-path",
    files: { "src/sqlite/index.ts": "/** Floor 4. */\nconst store = 1;\nvoid store;\n" },
    complaints: ["package.json [exports]", "src/sqlite/index.ts [dead-file]"],
  },
  {
    name: "a package.json that was left as packing writes it",
    files: { "package.json": JSON.stringify({ name: "tensile", exports: { ".": { default: "./dist/index.js" } } }) },
    complaints: [
      "package.json [exports]",
      "src/core/index.ts [dead-file]",
      "src/core/one.ts [dead-file]",
      "src/http/index.ts [dead-file]",
      "src/index.ts [dead-file]",
      "src/index.ts [dead-export]",
      "src/index.ts [dead-export]",
    ],
  },
  {
    name: "a file name that is not kebab-case",
    files: { "tools/runAll.ts": "export {};\n" },
    complaints: ["tools/runAll.ts [name]"],
  },
  {
    name: "a file that is too long",
    files: { "src/core/one.ts": `/** The number. */\nexport const one = 1;\n${"// more\n".repeat(400)}` },
    complaints: ["src/core/one.ts [length]"],
  },
  {
    name: "a file without an opening comment",
    files: { "src/core/one.ts": "export const one = 1;\n" },
    complaints: ["src/core/one.ts [opening-comment]"],
  },
  {
    name: "words that do not belong in a commit",
    files: {
      "src/core/one.ts": "/** The number. */\nexport const one = 1; // TODO: two\n",
      "README.md": "FIXME: write it.\n",
    },
    complaints: ["README.md [leftover]", "src/core/one.ts [leftover]"],
  },
  {
    name: "a test that is skipped",
    files: { "src/core/one.test.ts": 'test.skip("later", () => {});\ntest("x", { todo: true }, () => {});\n' },
    complaints: ["src/core/one.test.ts [whole-test]", "src/core/one.test.ts [whole-test]"],
  },
  {
    name: "a look at the wall clock",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = () => new Date();\n" },
    complaints: ["src/core/one.ts [time]"],
  },
  {
    name: "a face that is not written by hand",
    files: { "src/core/index.ts": '/** Floor 0. */\nexport * from "./one.ts";\n' },
    complaints: ["src/core/index.ts [named-exports]"],
  },
  {
    name: "a double assertion without a reason",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = 1 as unknown as string;\n" },
    complaints: ["src/core/one.ts [double-assertion]"],
  },
  {
    name: "an error code without a row, and a row without a code",
    files: {
      "src/core/one.ts": '/** The number. */\nexport const one = fault("NEW", { kind: "conflict" });\n',
      "src/http/index.ts": "/** Floor 3. */\nexport const two = 2;\n",
    },
    complaints: ["docs/errors.md [errors]", "src/core/one.ts [errors]"],
  },
  {
    name: "an error row with another kind than the source",
    files: { "docs/errors.md": "# Errors\n\n| `OLD` | `not_found` | when | what |\n" },
    complaints: ["docs/errors.md [errors]"],
  },
  {
    name: "a dependency without a row, and a row without a dependency",
    files: {
      "package.json": JSON.stringify({
        name: "tensile",
        exports: { ".": "./src/index.ts" },
        dependencies: { croner: "1.0.0" },
        devDependencies: { tool: "1.0.0" },
      }),
      "docs/dependencies.md":
        "# Dependencies\n\n| package | why |\n|---|---|\n| `tool` | for `x` |\n| `old`, `older` | once |\n",
    },
    complaints: [
      "docs/dependencies.md [dependencies]",
      "docs/dependencies.md [dependencies]",
      "package.json [dependencies]",
    ],
  },
  {
    name: "a table of floors that is not the one that is enforced",
    files: {
      "docs/ARCHITECTURE.md": Object.entries(floors)
        .filter(([folder]) => folder !== "cli")
        .map(
          ([folder, floor]) =>
            `| ${folder === "jobs" ? 4 : floor} | \`${folder}\` | what | ${folder === "core" ? "" : "planned"} |`,
        )
        .join("\n"),
    },
    complaints: [
      "docs/ARCHITECTURE.md [architecture]",
      "docs/ARCHITECTURE.md [architecture]",
      "docs/ARCHITECTURE.md [architecture]",
    ],
  },
  {
    name: "links that lead nowhere",
    files: { "README.md": "[a](docs/none.md) [b](docs/errors.md#none) [c](#none) [fine](mailto:a@example.org)\n" },
    complaints: ["README.md [link]", "README.md [link]", "README.md [link]"],
  },
  {
    name: "a changelog that is not open on top",
    files: { "CHANGELOG.md": "# Changelog\n\n## 0.1.0\n\n## Unreleased\n" },
    complaints: ["CHANGELOG.md [changelog]"],
  },
];

for (const { name, files, complaints } of broken) {
  test(`it complains about ${name}`, () => {
    const found = tidy(write(files));
    assert.deepEqual(
      found.map(({ file, rule }) => `${file} [${rule}]`),
      complaints,
      found.map(({ message }) => message).join("\n"),
    );
    for (const { message } of found) assert.ok(message.length > 20, "a complaint says what to do");
  });
}

const allowed: readonly { readonly name: string; readonly files: Files }[] = [
  {
    name: "a test may climb, through the front door",
    files: { "src/core/one.test.ts": 'import { two } from "../http/index.ts";\nvoid two;\n' },
  },
  {
    name: "a dynamic import below the root face may load Node",
    files: { "src/core/one.ts": '/** The number. */\nexport const one = () => import("node:os");\n' },
  },
  {
    name: "a type import below the root face may name Node",
    files: {
      "src/core/one.ts":
        '/** The number. */\nimport type { CpuInfo } from "node:os";\nexport const one: CpuInfo = 1;\n',
    },
  },
  {
    name: "a property may be called process",
    files: { "src/core/one.ts": "/** The number. */\nexport const one = { process: 1 };\nvoid one.process;\n" },
  },
  {
    name: "a type that an exported value is described with may be exported",
    files: { "src/core/one.ts": "/** The number. */\nexport type One = 1;\nexport const one: One = 1;\n" },
  },
  {
    name: "a worker file is reached by its URL",
    files: {
      "src/core/one.ts": '/** The number. */\nexport const one = new URL("./thread.ts", import.meta.url);\n',
      "src/core/thread.ts": "/** The thread. */\nexport const thread = 1;\n",
    },
  },
  {
    name: "a worker file may be chosen between its source and its built form",
    files: {
      "src/core/one.ts":
        '/** The number. */\nexport const one = (b: boolean) => new URL(b ? "./thread.js" : "./thread.ts", import.meta.url);\n',
      "src/core/thread.ts": "/** The thread. */\nexport const thread = 1;\n",
    },
  },
  {
    name: "an example imports by name",
    files: { "examples/hello/main.ts": 'import { one } from "tensile";\nvoid one;\n' },
  },
  {
    name: "a double assertion with its reason",
    files: {
      "src/core/one.ts":
        "/** The number. */\n// The platform's type is wrong.\nexport const one = 1 as unknown as string;\n",
    },
  },
];

for (const { name, files } of allowed) {
  test(name, () => assert.deepEqual(tidy(write(files)), []));
}

test("the list of long files only shrinks", () => {
  const long = `/** The number. */\nexport const one = 1;\n${"// more\n".repeat(500)}`;
  using tree = loadTree(write({ "src/core/one.ts": long }));
  const messages = (list: { [path: string]: number }): string[] => lengthRule(tree, list).map(({ message }) => message);
  assert.deepEqual(messages({ "src/core/one.ts": 502 }), []);
  assert.match(messages({ "src/core/one.ts": 501 })[0] as string, /split/);
  assert.match(messages({ "src/core/one.ts": 503 })[0] as string, /Lower its entry .* to 502/);
  assert.match(messages({ "src/core/one.ts": 502, "src/core/index.ts": 450 })[0] as string, /Remove its entry/);
  assert.match(messages({ "src/core/one.ts": 502, "src/gone.ts": 450 })[0] as string, /gone/);
});
