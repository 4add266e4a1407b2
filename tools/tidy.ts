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

/** While the first version grows, the floors are laid before those who stand on them: these rules only count. */
const whileBuilding: ReadonlySet<string> = new Set(["architecture", "dead-export"]);

if (import.meta.main) {
  const all = tidy(fileURLToPath(new URL("..", import.meta.url)));
  const complaints = process.argv.includes("--all") ? all : all.filter(({ rule }) => !whileBuilding.has(rule));
  if (complaints.length < all.length) {
    console.log(`tidy: ${all.length - complaints.length} notes on unused code; \`npm run tidy -- --all\` shows them.`);
  }
  for (const { file, line, rule, message } of complaints) {
    console.error(`${file}${line === undefined ? "" : `:${line}`}: [${rule}] ${message}`);
  }
  if (complaints.length > 0) process.exitCode = 1;
}
