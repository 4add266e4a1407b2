/**
 * `npm run tidy`: the rules of the house that neither the compiler nor the linter knows. Each complaint says what to do.
 */
import { fileURLToPath } from "node:url";
import { cyclesRule } from "./tidy/cycles.ts";
import { deadExportsRule, deadFilesRule } from "./tidy/dead.ts";
import { architectureRule, changelogRule, dependenciesRule, errorsRule, linksRule } from "./tidy/documents.ts";
import { floorsRule, frontDoorRule } from "./tidy/floors.ts";
import { packageMapRule } from "./tidy/package-map.ts";
import { portableRule } from "./tidy/portable.ts";
import { bansRule, doubleAssertionRule, facesRule, lengthRule, namesRule, openingCommentRule } from "./tidy/text.ts";
import { type Complaint, loadTree, type Rule } from "./tidy/tree.ts";

const rules: readonly Rule[] = [
  floorsRule,
  frontDoorRule,
  facesRule,
  cyclesRule,
  deadExportsRule,
  deadFilesRule,
  portableRule,
  packageMapRule,
  namesRule,
  (tree) => lengthRule(tree),
  openingCommentRule,
  bansRule,
  doubleAssertionRule,
  errorsRule,
  dependenciesRule,
  architectureRule,
  linksRule,
  changelogRule,
];

/** All complaints about the tree at `root`, by file and line. */
export function tidy(root: string): Complaint[] {
  using tree = loadTree(root);
  return rules
    .flatMap((rule) => rule(tree))
    .sort((a, b) => (a.file === b.file ? (a.line ?? 0) - (b.line ?? 0) : a.file < b.file ? -1 : 1));
}

if (import.meta.main) {
  const complaints = tidy(fileURLToPath(new URL("..", import.meta.url)));
  for (const { file, line, rule, message } of complaints) {
    console.error(`${file}${line === undefined ? "" : `:${line}`}: [${rule}] ${message}`);
  }
  if (complaints.length > 0) process.exitCode = 1;
}
