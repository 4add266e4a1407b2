/**
 * `npm run test:package`: packs the package as it would be published, judges the tarball, installs it into an empty folder
 * outside the repository, imports every sub-path there and serves the README's app, under the oldest supported Node and the
 * pinned one, and compiles a contract with declarations against it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { examplesInMarkdown } from "./doc-examples.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const oldestNode = "24";
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

const visitProgram = `
import { spawn, spawnSync } from "node:child_process";
import assert from "node:assert/strict";
const app = spawn(process.argv[2], ["app.ts"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => app.on("exit", (code, signal) => resolve(code ?? signal)));
const overdue = setTimeout(() => app.kill("SIGKILL"), 30_000);
app.stdout.setEncoding("utf8");
const url = await new Promise((resolve, reject) => {
  app.stdout.on("data", (text) => { const found = /http:\\S+/.exec(text); if (found) resolve(found[0]); });
  ended.then((code) => reject(new Error("The app ended with " + code)));
});
const found = await fetch(url + "/cities/1");
assert.deepEqual([found.status, await found.json()], [200, { id: 1, name: "Bern", population: 134591 }]);
const missing = await fetch(url + "/cities/2");
assert.deepEqual([missing.status, (await missing.json()).code], [404, "CITY_NOT_FOUND"]);
app.kill("SIGTERM");
assert.equal(await ended, 0);
clearTimeout(overdue);
console.log(spawnSync(process.argv[2], ["--version"], { encoding: "utf8" }).stdout);
`;

const everyNode = `
import { all, attempt, fault, ok, query, t } from "tensile";
export const scalars = [
  t.string(), t.int32(), t.int(), t.int64(), t.float(), t.boolean(), t.literal("a"), t.enum(["a", "b"]), t.bytes(),
  t.timestamp(), t.duration(), t.decimal(), t.json(), t.nothing(),
] as const;
export const Leaf = t.object("Leaf", { tags: t.array(t.string()), pair: t.tuple([t.int(), t.boolean()]), by: t.map(t.float()) });
export const Shape = t.tagged("Shape", "kind", { circle: { r: t.float() }, square: { side: t.float() } });
export const wrapped = t.object({
  maybe: t.optional(t.string()), none: t.nullable(t.int()), usual: t.default(t.int(), 1), leaf: t.ref(() => Leaf),
  id: t.brand(t.string(), "Id"), even: t.refine(t.int(), (n) => n % 2 === 0, "Even, please."),
  renamed: t.rename(t.string(), "re_named"), described: t.describe(t.string(), { description: "A text." }),
});
export const Gone = fault("GONE_FOR_GOOD", { kind: "gone" });
export const find = query("find", { access: { scopes: ["read"] }, input: { id: t.string() }, output: Leaf, faults: [Gone] });
export const results = all([ok(1), ok("a")]);
export const attempted = attempt(() => 1, () => Gone());
`;

const folder = mkdtempSync(join(tmpdir(), "tensile-package-"));
try {
  testPackage();
} finally {
  rmSync(folder, { recursive: true });
}

function testPackage(): void {
  step("pack", () => run(npm, ["pack", "--silent", "--pack-destination", folder], root));
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no tarball.");
  const file = join(folder, tarball);

  step("publint", () => run(binary("publint"), [file, "--strict"], root));
  step("attw", () => run(binary("attw"), [file, "--profile", "esm-only"], root));

  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    dependencies: { tensile: `file:${tarball}`, node: oldestNode },
    allowScripts: { node: true },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  step("install", () => run(npm, ["install", "--no-audit", "--no-fund", "--loglevel", "error"], folder));

  const installed = join(folder, "node_modules", "tensile");
  const published = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    exports: object;
    peerDependencies: { [name: string]: string };
  };
  const subPaths = Object.keys(published.exports)
    .filter((subPath) => subPath !== "./package.json")
    .map((subPath) => `tensile${subPath.slice(1)}`);

  // Without the optional peers every sub-path loads, but for those that are nothing without theirs: these name what to install.
  const peers = Object.keys(published.peerDependencies);
  const imports = subPaths.map(
    (name) =>
      `await import(${JSON.stringify(name)}).then((face) => { if (Object.keys(face).length === 0) throw new Error(${JSON.stringify(`${name} is empty`)}); }, missing);`,
  );
  const missing =
    `const peers = ${JSON.stringify(peers)}; const mayMiss = process.argv[2] === "bare";\n` +
    "function missing(e) { if (!mayMiss || e.code !== 'ERR_MODULE_NOT_FOUND' || !peers.some((peer) => e.message.includes(`'${peer}'`))) throw e; }\n";
  const sealed =
    "for (const inner of ['tensile/dist/core/index.js', 'tensile/src/index.ts']) " +
    "await import(inner).then(() => { throw new Error(`${inner} resolves`); }, (e) => { if (e.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw e; });";
  writeFileSync(
    join(folder, "import.js"),
    `${missing}${imports.join("\n")}\n${sealed}\nconsole.log(process.version);\n`,
  );
  const nodes = [join(folder, "node_modules", ".bin", "node"), process.execPath];
  for (const node of nodes) {
    step(`import ${subPaths.length} sub-paths without peers`, () => run(node, ["import.js", "bare"], folder));
  }
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: { [name: string]: string };
  };
  const wanted = peers.map((name) => `${name}@${own.devDependencies[name] ?? "latest"}`);
  step("install peers", () =>
    run(npm, ["install", "--no-audit", "--no-fund", "--loglevel", "error", ...wanted], folder),
  );
  for (const node of nodes) {
    step(`import ${subPaths.length} sub-paths`, () => run(node, ["import.js"], folder));
  }

  // The README's tour, as a reader would try it. Its store shows that a built worker thread finds its own file.
  const readme = examplesInMarkdown("README.md", readFileSync(join(root, "README.md"), "utf8"));
  for (const name of ["contract.ts", "app.ts"]) {
    const block = readme.find((example) => example.name === name);
    if (block === undefined) throw new Error(`The README has no ${name} any more, which this test runs.`);
    writeFileSync(join(folder, name), block.code.replace("port: 3000", "port: 0"));
  }
  writeFileSync(join(folder, "visit.js"), visitProgram);
  for (const node of [join(folder, "node_modules", ".bin", "node"), process.execPath]) {
    step("serve the README's app", () => run(process.execPath, ["visit.js", node], folder));
  }

  const typed = subPaths.map((name, i) => `import * as face${i} from ${JSON.stringify(name)};\nvoid face${i};`);
  writeFileSync(join(folder, "import.ts"), typed.join("\n"));
  // A contract in a package of its own needs declarations, so every type in it must have a name that users can import.
  writeFileSync(join(folder, "every-node.ts"), everyNode);
  const compilerOptions = {
    target: "es2024",
    lib: ["es2024", "esnext.disposable", "dom", "dom.iterable"],
    module: "nodenext",
    strict: true,
    skipLibCheck: false,
    declaration: true,
    outDir: "out",
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  // Declarations are read under the options of whoever reads them: those of the strictest and those of `strict` alone.
  for (const exactOptionalPropertyTypes of [true, false]) {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: { ...compilerOptions, exactOptionalPropertyTypes },
        files: ["import.ts", "contract.ts", "every-node.ts"],
      }),
    );
    step(`compile${exactOptionalPropertyTypes ? "" : " with strict alone"}`, () =>
      run(binary("tsc"), ["-p", folder], folder),
    );
  }
}

function step(name: string, act: () => string): void {
  const started = performance.now();
  const said = act().trim().split("\n").at(-1) ?? "";
  const note = /^v\d/.test(said) ? ` on ${said}` : "";
  console.log(`package: ${name}${note} passes (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function run(command: string, args: readonly string[], cwd: string): string {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (done.status !== 0) {
    throw new Error(`${command} ${args.join(" ")} failed:\n${done.stdout}${done.stderr}${done.error ?? ""}`);
  }
  return done.stdout;
}

function binary(name: string): string {
  return join(root, "node_modules", ".bin", name);
}
