/**
 * Pins what the compiler says when somebody makes a mistake. A mistake that compiles, and a message that nobody can read,
 * are both defects of the public face.
 *
 * A fixture is a file `*.fail.ts`. The line before (or the end of the line with) a mistake says what the compiler must
 * answer there, in as many lines as needed:
 *
 *     // THROWS TS2345 Argument of type '{ … }' is not assignable to parameter of type
 *     // THROWS ... Property 'access' is missing
 *     query("getCity", { input: {} });
 *
 * After the code stands a part of the message; `…` stands for anything; `// THROWS ...` asks for another part of the same
 * message. A mistake that the compiler does not see, an error that no comment expects, and another text are failures.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Diagnostic {
  readonly line: number;
  readonly code: string;
  /** The whole message, the lines of explanation joined by a space. */
  readonly message: string;
}

interface Expectation {
  readonly line: number;
  readonly code: string;
  readonly parts: readonly string[];
}

/** Compiles the fixtures together and says, for each, what is not as its comments expect. Empty: all as expected. */
export function typeMessageFailures(files: readonly string[]): Map<string, string[]> {
  const found = diagnose(files);
  const failures = new Map<string, string[]>();
  for (const file of files) {
    const problems = compare(expectationsIn(readFileSync(file, "utf8")), found.get(file) ?? []);
    if (problems.length > 0) failures.set(file, problems);
  }
  return failures;
}

function compare(expected: readonly Expectation[], found: readonly Diagnostic[]): string[] {
  const problems: string[] = [];
  const left = new Set(found);
  if (expected.length === 0)
    problems.push("The file expects no error. Write a `// THROWS TS… text` above each mistake.");
  for (const { line, code, parts } of expected) {
    const here = [...left].filter((diagnostic) => diagnostic.line === line);
    const match = here.find(
      (diagnostic) => diagnostic.code === code && parts.every((part) => holds(diagnostic.message, part)),
    );
    if (match !== undefined) left.delete(match);
    else if (here.length === 0) problems.push(`line ${line}: compiles, but ${code} was expected: ${parts.join(" … ")}`);
    else {
      for (const diagnostic of here) left.delete(diagnostic);
      problems.push(
        `line ${line}: expected ${code} ${parts.join(" … ")}\n  found    ${here.map((one) => `${one.code} ${one.message}`).join("\n           ")}`,
      );
    }
  }
  for (const { line, code, message } of left) problems.push(`line ${line}: unexpected ${code} ${message}`);
  return problems;
}

/** Whether `part`, with `…` for anything, occurs in the message. Runs of white space count as one. */
function holds(message: string, part: string): boolean {
  let from = 0;
  for (const piece of part.split("…")) {
    const wanted = piece.replaceAll(/\s+/g, " ").trim();
    const at = message.indexOf(wanted, from);
    if (at === -1) return false;
    from = at + wanted.length;
  }
  return true;
}

function expectationsIn(text: string): Expectation[] {
  const expected: { line: number; code: string; parts: string[] }[] = [];
  /** Those of the comment lines just above, waiting for the line of the mistake. */
  let waiting: typeof expected = [];
  for (const [i, line] of text.split("\n").entries()) {
    const [, before = "", mark, part = ""] = /^(.*?)\/\/ THROWS (TS\d+|\.\.\.) ?(.*)$/.exec(line) ?? [];
    if (mark === undefined) {
      if (line.trim() === "" || line.trim().startsWith("//")) continue;
      for (const expectation of waiting) expectation.line = i + 1;
      waiting = [];
    } else if (mark === "...") {
      expected.at(-1)?.parts.push(part);
    } else {
      const expectation = { line: i + 1, code: mark, parts: [part] };
      expected.push(expectation);
      if (before.trim() === "") waiting.push(expectation);
    }
  }
  return expected;
}

function diagnose(files: readonly string[]): Map<string, Diagnostic[]> {
  const folder = mkdtempSync(join(root, "node_modules", ".type-messages-"));
  try {
    const config = join(folder, "tsconfig.json");
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        // A fixture's own helpers may be unused; what is pinned are the mistakes of a user.
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, noErrorTruncation: false },
        files,
        include: [],
        exclude: [],
      }),
    );
    const compiler = fileURLToPath(import.meta.resolve("typescript/package.json"));
    const done = spawnSync(process.execPath, [join(compiler, "../bin/tsc"), "--pretty", "false", "-p", config], {
      cwd: root,
      encoding: "utf8",
    });
    return parse(done.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function parse(output: string): Map<string, Diagnostic[]> {
  const found = new Map<string, Diagnostic[]>();
  let last: { line: number; code: string; message: string } | undefined;
  for (const text of output.split("\n")) {
    const head = /^(\S.*?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(text);
    if (head === null) {
      if (last !== undefined && text.trim() !== "") last.message += ` ${text.trim()}`;
      continue;
    }
    const [, path, line, code, message] = head as unknown as [string, string, string, string, string];
    last = { line: Number(line), code, message };
    const file = join(root, path.split("/").join(sep));
    found.set(file, [...(found.get(file) ?? []), last]);
  }
  return found;
}

/** For a test's name. */
export function fixtureName(file: string): string {
  return relative(root, file).split(sep).join("/");
}
