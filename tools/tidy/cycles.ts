/** No file reaches itself through its imports, types included; and no folder reaches itself through its neighbours. */
import { dirname } from "node:path/posix";
import { type Complaint, isTest, type Tree } from "./tree.ts";

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export function cyclesRule(tree: Tree): Complaint[] {
  const files = new Map<string, Set<string>>();
  const folders = new Map<string, Set<string>>();
  for (const { path, imports } of tree.modules.values()) {
    // Nobody imports a test, so it closes no ring of files, and a folder may be tested on a higher one.
    if (isTest(path)) continue;
    for (const { target, mode } of imports) {
      if (target === undefined || mode === "dynamic" || !tree.modules.has(target)) continue;
      edge(files, path, target);
      const [from, to] = [dirname(path), dirname(target)];
      // A folder and the folders inside it are one house: only neighbours are kept apart.
      if (!isWithin(from, to) && !isWithin(to, from)) edge(folders, from, to);
    }
  }
  return [
    ...rings(files).map((ring) => complaint(ring, "Move what both need into a file that imports neither.")),
    ...rings(folders).map((ring) => complaint(ring, "Move what both need into a folder on a lower floor.")),
  ];
}

function complaint(ring: readonly string[], advice: string): Complaint {
  return { file: ring[0] as string, rule: "cycle", message: `${[...ring, ring[0]].join(" -> ")}. ${advice}` };
}

function edge(graph: Map<string, Set<string>>, from: string, to: string): void {
  const targets = graph.get(from);
  if (targets === undefined) graph.set(from, new Set([to]));
  else targets.add(to);
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

/** One ring for each knot of nodes that reach each other, found by a depth-first walk that remembers its path. */
function rings(graph: Graph): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at !== -1) {
      found.push(path.slice(at));
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return found;
}
