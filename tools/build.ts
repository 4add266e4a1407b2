/**
 * `npm run build`: JavaScript and declarations for the published package, in `dist/`, file for file as in `src/`. Nothing in
 * development needs it: Node runs the sources as they are.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

export function build(dist = join(root, "dist")): void {
  rmSync(dist, { recursive: true, force: true });
  const compiler = join(fileURLToPath(import.meta.resolve("typescript/package.json")), "../bin/tsc");
  const done = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", dist], {
    cwd: root,
    encoding: "utf8",
  });
  if (done.status !== 0) throw new Error(`The build does not compile:\n${done.stdout}${done.stderr}`);
  for (const file of globSync("**/*.{js,d.ts}", { cwd: dist })) {
    const path = join(dist, file);
    const text = readFileSync(path, "utf8");
    const published = asPublished(text, file);
    if (published !== text) writeFileSync(path, published);
  }
  for (const file of globSync("**/*.{html,css,js,svg,sql,proto,json}", { cwd: join(root, "src") })) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    copyFileSync(join(root, "src", file), join(dist, file));
  }
}

/**
 * The compiler turns the endings of imports into `.js`, but not those of files that are started by their URL (worker
 * threads), nor those in declarations.
 */
export function asPublished(text: string, file: string): string {
  if (file.endsWith(".d.ts")) {
    return text.replaceAll(/((?:from|import)\s*\(?\s*)"(\.[^"]+)\.ts"/g, '$1"$2.js"');
  }
  return text.replaceAll(/(new URL\(\s*)"(\.[^"]+)\.ts"(,\s*import\.meta\.url)/g, '$1"$2.js"$3');
}

if (import.meta.main) {
  build();
  console.log("build: dist/ is ready");
}
