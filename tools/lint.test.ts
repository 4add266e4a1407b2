/** Guards rot in silence: this test makes each mistake that the lint configuration is there for, and wants it named. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lint-"));
after(() => rmSync(folder, { recursive: true }));

const mistakes: readonly { readonly rule: string; readonly code: string }[] = [
  { rule: "no-floating-promises", code: "export const a = () => { work(); };" },
  {
    rule: "no-misused-promises",
    code: "export const a = (list: number[]) => { list.forEach(async () => { await work(); }); };",
  },
  { rule: "await-thenable", code: "export const a = async () => { await 1; };" },
  {
    rule: "switch-exhaustiveness-check",
    code: 'export const a = (x: "p" | "q") => { switch (x) { case "p": return 1; } return 2; };',
  },
  { rule: "no-explicit-any", code: "export const a = (x: any): unknown => x;" },
  { rule: "no-unsafe-member-access", code: 'export const a = (): unknown => JSON.parse("1").b;' },
  { rule: "no-unsafe-return", code: 'export const a = (): string => JSON.parse("1");' },
  { rule: "no-non-null-assertion", code: "export const a = (x: number | undefined): number => x!;" },
  { rule: "only-throw-error", code: 'export const a = () => { throw "text"; };' },
  { rule: "prefer-promise-reject-errors", code: 'export const a = () => Promise.reject("text");' },
  { rule: "eqeqeq", code: "export const a = (x: unknown) => x == 1;" },
  { rule: "no-console", code: 'export const a = () => console.log("x");' },
  { rule: "no-new-func", code: 'export const a: unknown = new Function("return 1");' },
  { rule: "no-restricted-globals", code: "export const a = () => setTimeout(() => undefined, 1);" },
  { rule: "no-restricted-globals", code: "export const a = () => setInterval(() => undefined, 1);" },
  { rule: "no-restricted-properties", code: "export const a = () => Date.now();" },
  { rule: "no-restricted-properties", code: "export const a = () => performance.now();" },
  { rule: "no-restricted-properties", code: "export const a = () => Math.random();" },
  {
    rule: "no-restricted-imports",
    code: 'import { setTimeout } from "node:timers/promises"; export const a = setTimeout;',
  },
  { rule: "no-default-export", code: "export default 1;" },
  { rule: "consistent-type-imports", code: 'import { Kind } from "./kind.ts"; export type A = Kind;' },
];

interface Found {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string; readonly severity: string }[];
}

test("each mistake is an error under the rule that is meant for it", () => {
  const source = join(folder, "src", "core");
  mkdirSync(source, { recursive: true });
  copyFileSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const { compilerOptions } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")) as {
    compilerOptions: object;
  };
  const typeRoots = [join(root, "node_modules", "@types")];
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...compilerOptions, typeRoots }, include: ["src"] }),
  );
  writeFileSync(join(source, "kind.ts"), "export type Kind = 1;\n");
  for (const [i, { code }] of mistakes.entries()) {
    writeFileSync(join(source, `mistake-${i}.ts`), `declare function work(): Promise<void>;\nvoid work;\n${code}\n`);
  }
  const bin = (name: string): string => join(root, "node_modules", ".bin", name);
  const done = spawnSync(process.execPath, [bin("oxlint"), "--type-aware", "--deny-warnings", "-f", "json"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, OXLINT_TSGOLINT_PATH: bin("tsgolint") },
  });
  assert.equal(done.status, 1, done.stderr);
  const { diagnostics } = JSON.parse(done.stdout) as Found;
  for (const [i, { rule, code }] of mistakes.entries()) {
    const named = diagnostics.filter(({ filename }) => filename.endsWith(`mistake-${i}.ts`)).map((found) => found.code);
    assert.ok(
      named.some((name) => name.includes(`(${rule})`)),
      `${rule} is silent about: ${code} (named: ${named.join(", ") || "nothing"})`,
    );
  }
});
