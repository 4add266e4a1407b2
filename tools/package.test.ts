import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { asPublished } from "./build.ts";
import { completeLockfile } from "./complete-lockfile.ts";
import { publishedManifest } from "./package.ts";

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

test("the published manifest names built files and carries nothing of the repository", () => {
  const manifest = {
    name: "tensile",
    bin: { tensile: "./src/cli/main.ts" },
    exports: { ".": "./src/index.ts", "./sqlite": "./src/sqlite/index.ts" },
    scripts: {},
  };
  assert.deepEqual(publishedManifest(manifest), {
    name: "tensile",
    bin: { tensile: "./dist/cli/main.js" },
    exports: {
      ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
      "./sqlite": { types: "./dist/sqlite/index.d.ts", default: "./dist/sqlite/index.js" },
      "./package.json": "./package.json",
    },
  });
});

test("a manifest that was swapped already is refused", () => {
  const manifest = { exports: { ".": { default: "./dist/index.js" } } };
  assert.throws(() => publishedManifest(manifest), /a source file below/);
});

test("built files start workers and name declarations by their built names", () => {
  assert.equal(
    asPublished('new Worker(new URL("./writer.ts", import.meta.url)); "./other.ts"', "a.js"),
    'new Worker(new URL("./writer.js", import.meta.url)); "./other.ts"',
  );
  assert.equal(
    asPublished(
      'import type { A } from "../a.ts";\nexport { B } from "./b.ts";\ntype C = import("./c.ts").C;',
      "a.d.ts",
    ),
    'import type { A } from "../a.js";\nexport { B } from "./b.js";\ntype C = import("./c.js").C;',
  );
});

test("the lockfile holds every platform's packages, so that `npm ci` works on all of them", () => {
  const { added } = completeLockfile(read("package-lock.json"));
  assert.deepEqual(added, [], "Run `npm run fix` and commit package-lock.json.");
});

test("a hole in a lockfile is filled with what the package's name says", () => {
  const holes = {
    packages: {
      "": {},
      "node_modules/tool": {
        dev: true,
        optionalDependencies: { "@tool/binding-linux-x64-musl": "1.2.3", fsevents: "^2" },
      },
    },
  };
  const { text, added } = completeLockfile(JSON.stringify(holes));
  assert.deepEqual(added, ["@tool/binding-linux-x64-musl@1.2.3"]);
  const { packages } = JSON.parse(text) as { packages: Record<string, unknown> };
  assert.deepEqual(packages["node_modules/@tool/binding-linux-x64-musl"], {
    version: "1.2.3",
    cpu: ["x64"],
    os: ["linux"],
    libc: ["musl"],
    dev: true,
    optional: true,
  });
});

test("the lockfile names no registry and no machine", () => {
  assert.doesNotMatch(read("package-lock.json"), /"resolved"|file:/);
});
