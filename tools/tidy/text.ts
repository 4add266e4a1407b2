/** What can be said of each file by reading its text: names, length, comments, words that do not belong in a commit. */
import { basename } from "node:path/posix";
import { type Complaint, isTest, type Rule, type Tree } from "./tree.ts";

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;

export function namesRule(tree: Tree): Complaint[] {
  return [...tree.modules.keys()]
    .filter((path) => !path.split("/").every((part) => kebab.test(part)))
    .map((file) => ({
      file,
      rule: "name",
      message: "Name files and folders in kebab-case, by one noun or one act: `retry-policy.ts`.",
    }));
}

/** Past this a file is asked whether it is two things. */
const longest = 400;
/** A test file reads as a list, so it may be longer. */
const longestTest = 600;

/**
 * Files that were longer when the rule came, with the length that they may have. The list only shrinks: an entry that is
 * no longer needed, or allows more than the file has, is a complaint.
 */
export const allowedLengths: { readonly [path: string]: number } = {};

export function lengthRule(tree: Tree, allowed = allowedLengths): Complaint[] {
  const complaints: Complaint[] = [];
  const complain = (file: string, message: string): void => void complaints.push({ file, rule: "length", message });
  for (const { path, text } of tree.modules.values()) {
    const lines = text.split("\n").length - 1;
    const usual = isTest(path) ? longestTest : longest;
    const limit = allowed[path] ?? usual;
    if (lines > limit) {
      complain(path, `${lines} lines are more than ${limit}. Ask whether the file is two things, and split it there.`);
    } else if (allowed[path] !== undefined && lines <= usual) {
      complain(path, `${lines} lines need no exception any more. Remove its entry in tools/tidy/text.ts.`);
    } else if (allowed[path] !== undefined && lines < limit) {
      complain(path, `It has shrunk. Lower its entry in tools/tidy/text.ts to ${lines}.`);
    }
  }
  for (const path of Object.keys(allowed)) {
    if (!tree.modules.has(path)) complain(path, "The file is gone. Remove its entry in tools/tidy/text.ts.");
  }
  return complaints;
}

export function openingCommentRule(tree: Tree): Complaint[] {
  return [...tree.modules.values()]
    .filter(({ path, text }) => path.startsWith("src/") && !isTest(path) && !/^(#!.*\n)?\s*\/[/*]/.test(text))
    .map(({ path }) => ({
      file: path,
      line: 1,
      rule: "opening-comment",
      message: "Open the file with a short comment: what it is and why it exists.",
    }));
}

interface Ban {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly message: string;
  applies(path: string): boolean;
}

const inSource = (path: string): boolean => path.startsWith("src/") && !isTest(path);

const bans: readonly Ban[] = [
  {
    rule: "leftover",
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/,
    message: "Do it now, or write down what is missing in docs/ where its users look.",
    // The rule itself and its test name the words.
    applies: (path) => !path.startsWith("tools/tidy/"),
  },
  {
    rule: "whole-test",
    pattern: /\b(test|it|describe|suite|t)\.(skip|only|todo)\(|[{,]\s*(skip|only|todo): (true|["'`])/,
    message: "No test is skipped or runs alone. Make it pass, or remove it and say in docs/ what is not covered.",
    applies: (path) => isTest(path) && !path.startsWith("tools/tidy/"),
  },
  {
    rule: "time",
    pattern: /\bnew Date\(\)/,
    message: "It reads the time. Take a Clock and write `new Date(clock.now())`.",
    applies: (path) => inSource(path) && path !== "src/core/clock.ts",
  },
  {
    rule: "named-exports",
    pattern: /^export \* /,
    message: "Name what is exported: a face is written by hand.",
    applies: (path) => path.startsWith("src/"),
  },
];

export const bansRule: Rule = (tree) => {
  const complaints: Complaint[] = [];
  const texts = [...[...tree.modules.values()].map(({ path, text }) => [path, text] as const), ...tree.documents];
  for (const [path, text] of texts) {
    for (const { rule, pattern, message, applies } of bans) {
      if (!applies(path) || !new RegExp(pattern.source, "m").test(text)) continue;
      for (const [i, line] of text.split("\n").entries()) {
        const found = pattern.exec(line);
        if (found !== null)
          complaints.push({ file: path, line: i + 1, rule, message: `\`${found[0].trim()}\`: ${message}` });
      }
    }
  }
  return complaints;
};

/** `as unknown as T` switches the compiler off for one value; whoever does it says why. */
export function doubleAssertionRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path, text } of tree.modules.values()) {
    if (!inSource(path) || !text.includes("as unknown as")) continue;
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
      if (!line.includes("as unknown as") || line.includes("//") || /^\s*\/\//.test(lines[i - 1] ?? "")) continue;
      complaints.push({
        file: path,
        line: i + 1,
        rule: "double-assertion",
        message: "`as unknown as` needs its reason in a comment on the line or above it. Better: a type guard.",
      });
    }
  }
  return complaints;
}

/** Every folder of `src/` has a face, and every face is written by hand and called `index.ts`. */
export function facesRule(tree: Tree): Complaint[] {
  const folders = new Set<string>();
  for (const path of tree.modules.keys()) {
    const [top, folder, rest] = path.split("/");
    if (top === "src" && folder !== undefined && rest !== undefined) folders.add(`src/${folder}`);
  }
  return [...folders]
    .filter((folder) => !tree.modules.has(`${folder}/index.ts`))
    .map((folder) => ({
      file: folder,
      rule: "face",
      message: `${basename(folder)} has no index.ts. Write one with the names that others use.`,
    }));
}
