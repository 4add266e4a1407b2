/**
 * Type-checks every example that a reader may copy: the `@example` of docstrings in `src/` and the ```` ```ts ```` blocks of
 * README.md and docs/. One compiler run for all of them.
 *
 * A block in Markdown is a whole module. When its first line is a file name (`// contract.ts`), the blocks below it in the
 * same document can import it. A block fenced as ```` ```ts fragment ```` and every docstring example is a fragment: the names
 * of the root face, of the documented file and of the README's contract.ts are imported for it, and a name that nobody declares
 * stands for anything.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface Example {
  /** Where it stands, relative to the root. */
  readonly file: string;
  /** The line of its first line of code. */
  readonly line: number;
  readonly code: string;
  readonly fragment: boolean;
  /** The name that other blocks of the document import it by. */
  readonly name: string | undefined;
}

export function examplesInMarkdown(file: string, text: string): Example[] {
  const examples: Example[] = [];
  let open: { line: number; indent: string; info: string; code: string[] } | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const [, indent = "", info] = /^(\s*)```(.*)$/.exec(line) ?? [];
    if (info === undefined) {
      open?.code.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else if (open === undefined) {
      open = { line: i + 2, indent, info: info.trim(), code: [] };
    } else {
      if (/^(ts|typescript)( |$)/.test(open.info)) {
        examples.push({
          file,
          line: open.line,
          code: open.code.join("\n"),
          fragment: open.info.endsWith(" fragment"),
          name: /^\/\/ ([\w./-]+\.ts)\b/.exec(open.code[0] ?? "")?.[1],
        });
      }
      open = undefined;
    }
  }
  return examples;
}

export function examplesInSource(file: string, text: string): Example[] {
  const examples: Example[] = [];
  for (const comment of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const first = text.slice(0, comment.index).split("\n").length;
    const lines = comment[0]
      .split("\n")
      .map((line) => line.replace(/^\s*(\/\*\*|\*\/|\*) ?/, "").replace(/\s*\*\/$/, ""));
    for (let i = 0; i < lines.length; i++) {
      if (!/^@example\b/.test(lines[i] as string)) continue;
      let end = i + 1;
      while (end < lines.length && !endsExample(lines, end)) end++;
      // Fences are allowed and change nothing; prose between them would not compile, and should not stand there.
      const code = [(lines[i] as string).replace(/^@example\s*/, ""), ...lines.slice(i + 1, end)];
      const fenced = code.map((line) => (line.startsWith("```") ? "" : line)).join("\n");
      if (fenced.trim() !== "") examples.push({ file, line: first + i, code: fenced, fragment: true, name: undefined });
    }
  }
  return examples;
}

/** The next tag, or a paragraph of prose: capitalised words after an empty line. */
function endsExample(lines: readonly string[], at: number): boolean {
  const line = lines[at] as string;
  return /^@\w/.test(line) || (lines[at - 1] === "" && /^[A-Z][a-z]*,? [a-z`]/.test(line));
}

/** What the compiler says against the examples: `file:line: message`. */
export function checkExamples(root: string, examples: readonly Example[]): string[] {
  if (examples.length === 0) return [];
  const folder = mkdtempSync(join(root, "node_modules", ".doc-examples-"));
  try {
    const written = examples.map((example, i) => ({ example, path: pathOf(folder, example, i) }));
    const undeclared = new Map<string, string[]>();
    const tour = tourOf(root, folder);
    const offersOf = (example: Example): Offer[] => [...offersFor(root, example), ...tour];
    const offered = new Set(examples.flatMap((example) => offersOf(example).flatMap(({ names }) => names)));
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify(
        configOf(
          root,
          written.map(({ path }) => path),
        ),
      ),
    );
    const compileAll = (): Diagnostic[] => {
      for (const { example, path } of written) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, moduleOf(example, offersOf(example), undeclared.get(path) ?? []));
      }
      return compile(root, join(folder, "tsconfig.json"));
    };
    const fragments = new Set(written.filter(({ example }) => example.fragment).map(({ path }) => path));
    for (const { path, code, message } of compileAll()) {
      const name = standInFor(code, message, offered);
      if (name === undefined || !fragments.has(path)) continue;
      undeclared.set(path, [...new Set([...(undeclared.get(path) ?? []), name])]);
    }
    // A callback given to a stand-in has parameters of no type.
    const untyped = new Set(["TS7006", "TS7031"]);
    const problems = compileAll().filter(({ path, code }) => !(fragments.has(path) && untyped.has(code)));
    return problems.map(({ path, line, code, message }) => {
      const found = written.find((one) => one.path === path);
      if (found === undefined) return `${relative(root, path)}:${line}: ${code} ${message}`;
      return `${found.example.file}:${found.example.line + line - 1 - preambleLines}: ${code} ${message}`;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const preambleLines = 1;

/** A module and the names that a fragment may use of it without importing them. */
interface Offer {
  readonly from: string;
  readonly names: readonly string[];
}

/** The contract of the README, which every reader has seen: docstrings speak of `atlas` and `getCity` and mean it. */
function tourOf(root: string, folder: string): Offer[] {
  const readme = examplesInMarkdown("README.md", readFileSync(join(root, "README.md"), "utf8"));
  const contract = readme.find(({ name }) => name === "contract.ts");
  if (contract === undefined) return [];
  const from = join(folder, "tour.ts");
  writeFileSync(from, contract.code);
  return [{ from, names: namesIn(contract.code) }];
}

function pathOf(folder: string, example: Example, index: number): string {
  const document = example.file.replaceAll(/[^\w]/g, "-");
  return join(folder, document, example.name ?? `example-${index}.ts`);
}

function moduleOf(example: Example, offers: readonly Offer[], undeclared: readonly string[]): string {
  if (!example.fragment) return `export {};\n${example.code}\n`;
  const preamble = [
    importsFor(example, offers),
    ...undeclared.map((name) => `declare const ${name}: any; type ${name} = any;`),
    "export {};",
  ];
  const yields = /\byield\b|^\s*return\b/m.test(example.code);
  return yields
    ? `${preamble.join(" ")} export async function* example() {\n${example.code}\n}\n`
    : `${preamble.join(" ")}\n${example.code}\n`;
}

/** Imports of every name on offer that the fragment does not import or declare itself, so that the compiler knows misspelt ones. */
function importsFor({ code }: Example, offers: readonly Offer[]): string {
  const taken = new Set<string>();
  const statements: string[] = [];
  for (const { from, names } of offers) {
    const free = names.filter((name) => !taken.has(name) && !declares(code, name));
    for (const name of free) taken.add(name);
    if (free.length > 0) statements.push(`import { ${free.join(", ")} } from ${JSON.stringify(from)};`);
  }
  return statements.join(" ");
}

function declares(code: string, name: string): boolean {
  return [
    `\\b(const|let|function\\*?|class|type|interface) ${name}\\b`,
    `\\b(const|let) [{[][^=]*\\b${name}\\b`,
    `\\{[^}]*\\b${name}\\b[^}]*\\} from`,
  ].some((pattern) => new RegExp(pattern).test(code));
}

/** What a fragment may use without importing it: the face of its folder, the root face, its own file; the first wins. */
function offersFor(root: string, { file }: Example): Offer[] {
  const own = join(root, file);
  const folder = /^src\/[^/]+\//.exec(file)?.[0];
  const doors = folder === undefined ? [] : [join(root, folder, "index.ts")];
  return [...doors, join(root, "src/index.ts"), ...(file.endsWith(".ts") ? [own] : [])]
    .filter((path) => existsSync(path))
    .map((from) => ({ from, names: namesIn(readFileSync(from, "utf8")) }));
}

/** The name that a complaint is about, when it stands for something of the reader's. A name that is nearly ours is misspelt. */
function standInFor(code: string, message: string, offered: ReadonlySet<string>): string | undefined {
  if (code === "TS18004") return /shorthand property '(\w+)'/.exec(message)?.[1];
  if (code !== "TS2304" && code !== "TS2552") return undefined;
  const [, name, suggestion] = /^Cannot find name '(\w+)'\.(?: Did you mean '(\w+)'\?)?/.exec(message) ?? [];
  if (name === undefined || suggestion === undefined || !offered.has(suggestion)) return name;
  // `implemented` is another word than `implement`; `matchFaults` is a slip.
  const longer = name.startsWith(suggestion) || suggestion.startsWith(name);
  return longer && Math.abs(name.length - suggestion.length) > 1 ? name : undefined;
}

/** The exported names of a file, near enough for examples: a wrong guess is a compile error that says so. */
function namesIn(text: string): string[] {
  const declared = text.matchAll(
    /^export (?:declare |async |abstract )*(?:const|function\*?|class|type|interface) (\w+)/gm,
  );
  const listed = text.matchAll(/^export (?:type )?\{([^}]*)\}/gm);
  const names = [...declared].map(([, name]) => name as string);
  for (const [, list] of listed) {
    for (const item of (list as string).split(",")) {
      const name = item.trim().split(/\s+/).at(-1);
      if (name !== undefined && name !== "") names.push(name);
    }
  }
  return [...new Set(names)];
}

function configOf(root: string, files: readonly string[]): object {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    name: string;
    exports: Record<string, string>;
  };
  const paths: Record<string, string[]> = {};
  for (const [subPath, file] of Object.entries(manifest.exports)) {
    paths[`${manifest.name}${subPath.slice(1)}`] = [join(root, file)];
  }
  return {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noUnusedLocals: false,
      noUnusedParameters: false,
      verbatimModuleSyntax: false,
      rewriteRelativeImportExtensions: false,
      paths,
    },
    files,
    include: [],
    exclude: [],
  };
}

interface Diagnostic {
  readonly path: string;
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

function compile(root: string, config: string): Diagnostic[] {
  const compiler = join(fileURLToPath(import.meta.resolve("typescript/package.json")), "../bin/tsc");
  const done = spawnSync(process.execPath, [compiler, "--pretty", "false", "-p", config], {
    cwd: root,
    encoding: "utf8",
  });
  const found: Diagnostic[] = [];
  for (const text of done.stdout.split("\n")) {
    const head = /^(\S.*?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(text);
    if (head === null) {
      const last = found.at(-1);
      if (last !== undefined && text.trim() !== "")
        found[found.length - 1] = { ...last, message: `${last.message}\n${text}` };
      continue;
    }
    const [, path, line, code, message] = head as unknown as [string, string, string, string, string];
    found.push({ path: join(root, path.split("/").join(sep)), line: Number(line), code, message });
  }
  return found;
}

export function examplesOf(root: string): Example[] {
  const read = (file: string): string => readFileSync(join(root, file), "utf8");
  const documents = globSync(["README.md", "docs/**/*.md", "examples/**/README.md"], { cwd: root }).sort();
  const sources = globSync("src/**/*.ts", { cwd: root }).sort();
  return [
    ...documents.flatMap((file) => examplesInMarkdown(file, read(file))),
    ...sources.filter((file) => !/\.(test|fail)\.ts$/.test(file)).flatMap((file) => examplesInSource(file, read(file))),
  ];
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = checkExamples(root, examplesOf(root));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
