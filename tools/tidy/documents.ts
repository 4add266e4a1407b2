/** The documents say what is so: links lead somewhere, the error table equals the source, the changelog is open on top. */
import { dirname, join, normalize } from "node:path/posix";
import { lineOf, type Node, SyntaxKind, walk } from "../compiler.ts";
import { floors } from "./floors.ts";
import { type Complaint, isTest, type Tree } from "./tree.ts";

export function changelogRule(tree: Tree): Complaint[] {
  const text = tree.documents.get("CHANGELOG.md");
  const first = text?.split("\n").find((line) => line.startsWith("## "));
  if (first === "## Unreleased") return [];
  return [
    {
      file: "CHANGELOG.md",
      rule: "changelog",
      message: 'Its first heading is "## Unreleased", also right after a release.',
    },
  ];
}

export function linksRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, text] of tree.documents) {
    let fenced = false;
    for (const [i, line] of text.split("\n").entries()) {
      if (line.trimStart().startsWith("```")) fenced = !fenced;
      if (fenced) continue;
      for (const [, link] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
        const problem = problemOf(tree, path, link as string);
        if (problem !== undefined) complaints.push({ file: path, line: i + 1, rule: "link", message: problem });
      }
    }
  }
  return complaints;
}

function problemOf(tree: Tree, from: string, link: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/.test(link)) return undefined;
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? from : normalize(join(dirname(from), file));
  if (!tree.has(target)) return `${link} leads nowhere: there is no ${target}. Mend or remove the link.`;
  const text = tree.documents.get(target);
  if (anchor === undefined || text === undefined || anchorsOf(text).has(anchor)) return undefined;
  return `${link} leads nowhere: ${target} has no heading for #${anchor}. Mend the anchor.`;
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6}\s+(.+?)\s*$/gm)) {
    const slug = (heading as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-");
    let unique = slug;
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

/** Every dependency has its row in docs/dependencies.md, and every row its dependency. */
export function dependenciesRule(tree: Tree): Complaint[] {
  const { dependencies, devDependencies, peerDependencies } = tree.manifest;
  const used = new Set(Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }));
  const file = "docs/dependencies.md";
  const complaints: Complaint[] = [];
  const explained = new Set<string>();
  for (const [i, line] of (tree.documents.get(file) ?? "").split("\n").entries()) {
    const cell = /^\|([^|]*`[^|]*)\|/.exec(line)?.[1] ?? "";
    for (const [, name] of cell.matchAll(/`([^`]+)`/g)) {
      explained.add(name as string);
      if (used.has(name as string)) continue;
      complaints.push({
        file,
        line: i + 1,
        rule: "dependencies",
        message: `${name} is not in package.json. Remove it here.`,
      });
    }
  }
  for (const name of used) {
    if (explained.has(name)) continue;
    const message = `${name} has no row in ${file}. Say why it is needed, over which rival, its size and install script.`;
    complaints.push({ file: "package.json", rule: "dependencies", message });
  }
  return complaints;
}

/** The table of floors in docs/ARCHITECTURE.md is the one that is enforced, and says of each folder whether it exists. */
export function architectureRule(tree: Tree): Complaint[] {
  const file = "docs/ARCHITECTURE.md";
  const text = tree.documents.get(file);
  if (text === undefined) return [];
  const complaints: Complaint[] = [];
  const complain = (message: string, line?: number): void =>
    void complaints.push({ file, ...(line === undefined ? {} : { line }), rule: "architecture", message });
  const rows = new Set<string>();
  for (const [i, line] of text.split("\n").entries()) {
    const row = /^\| (\d+) \| `([a-z-]+)` \|.*\|([^|]*)\|$/.exec(line);
    if (row === null) continue;
    const [, floor, folder, state] = row as unknown as [string, string, string, string];
    rows.add(folder);
    if (floors[folder] !== Number(floor)) {
      complain(
        `tools/tidy/floors.ts has ${folder} on floor ${floors[folder] ?? "none"}, not ${floor}. Make them equal.`,
        i + 1,
      );
    }
    const planned = state.trim() === "planned";
    const exists = tree.has(`src/${folder}/index.ts`);
    if (planned && exists) complain(`src/${folder} exists. Remove "planned".`, i + 1);
    if (!planned && !exists) complain(`src/${folder} does not exist. Write "planned", or remove the row.`, i + 1);
  }
  for (const folder of Object.keys(floors)) {
    if (!rows.has(folder)) complain(`The table has no row for ${folder}, which tools/tidy/floors.ts has. Add one.`);
  }
  return complaints;
}

interface Code {
  readonly file: string;
  readonly line: number;
  /** The row of the kind table, where the source says it beside the code. */
  readonly kind: string | undefined;
}

/**
 * A code is a string literal given to `new Fault("CODE", …)` or `fault("CODE", …)` in `src/`. Its row in docs/errors.md
 * opens with the code in backticks and names the kind in the second column.
 */
export function errorsRule(tree: Tree): Complaint[] {
  const file = "docs/errors.md";
  const complaints: Complaint[] = [];
  const inSource = codesInSource(tree);
  const inTable = new Map<string, { line: number; kind: string | undefined }>();
  for (const [i, line] of (tree.documents.get(file) ?? "").split("\n").entries()) {
    const row = /^\|\s*`([A-Z][A-Z0-9_]*)`\s*\|\s*`?([a-z_]*)`?\s*\|/.exec(line);
    if (row === null) continue;
    const [, code, kind] = row as unknown as [string, string, string];
    if (inTable.has(code)) {
      complaints.push({ file, line: i + 1, rule: "errors", message: `${code} has two rows. Join them.` });
    }
    inTable.set(code, { line: i + 1, kind: kind === "" ? undefined : kind });
  }
  for (const [code, { file: at, line, kind }] of inSource) {
    const row = inTable.get(code);
    if (row === undefined) {
      complaints.push({
        file: at,
        line,
        rule: "errors",
        message: `${code} has no row in ${file}. Add one: \`code\`, \`kind\`, when it happens, what to do.`,
      });
    } else if (kind !== undefined && row.kind !== kind) {
      complaints.push({
        file,
        line: row.line,
        rule: "errors",
        message: `${code} is of kind ${kind} in the source (${at}:${line}), not ${row.kind}. Mend the row.`,
      });
    }
  }
  for (const [code, { line }] of inTable) {
    if (!inSource.has(code)) {
      complaints.push({ file, line, rule: "errors", message: `Nothing in src/ makes ${code}. Remove the row.` });
    }
  }
  return complaints;
}

interface Call extends Node {
  readonly expression?: Node & { readonly text?: string };
  readonly arguments?: readonly (Node & { readonly text?: string })[];
}

function codesInSource(tree: Tree): Map<string, Code> {
  const codes = new Map<string, Code>();
  for (const { path, source } of tree.modules.values()) {
    if (!path.startsWith("src/") || isTest(path) || path.includes("/type-tests/")) continue;
    walk(source, (node: Call) => {
      const called = node.expression?.text;
      const isFault =
        (node.kind === SyntaxKind.NewExpression && called === "Fault") ||
        (node.kind === SyntaxKind.CallExpression && called === "fault");
      const [first, second] = node.arguments ?? [];
      if (!isFault || first?.kind !== SyntaxKind.StringLiteral || first.text === undefined) return;
      const kind =
        second?.kind === SyntaxKind.StringLiteral
          ? second.text
          : /\bkind: "([a-z_]+)"/.exec(second?.getText(source) ?? "")?.[1];
      const known = codes.get(first.text);
      if (known === undefined || (known.kind === undefined && kind !== undefined)) {
        codes.set(first.text, { file: path, line: lineOf(source, node), kind });
      }
    });
  }
  return codes;
}
