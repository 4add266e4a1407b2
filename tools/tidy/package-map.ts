/** package.json's `exports` and the files agree: a sub-path is the face of a folder of its own name. */
import type { Complaint, Tree } from "./tree.ts";

/** Folders that users import by their own sub-path: once they exist, package.json names them. */
const subPathFolders = [
  "client",
  "formats",
  "graphql",
  "grpc",
  "openapi",
  "parallel",
  "pipeline",
  "postgres",
  "sqlite",
  "static",
  "testing",
];

export function packageMapRule(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  const complain = (message: string): void => void complaints.push({ file: "package.json", rule: "exports", message });
  for (const [subPath, file] of Object.entries(tree.manifest.exports)) {
    if (subPath === "./package.json") continue;
    const expected = subPath === "." ? "./src/index.ts" : `./src/${subPath.slice(2)}/index.ts`;
    if (file !== expected) {
      complain(
        `exports["${subPath}"] is ${JSON.stringify(file)}. In the repository it names the source, ${expected}: packing ` +
          "rewrites it. If a pack was interrupted, restore package.json.",
      );
    } else if (!tree.has(file)) {
      complain(`exports["${subPath}"] names ${file}, which does not exist. Write it or remove the sub-path.`);
    }
  }
  for (const [name, file] of Object.entries(tree.manifest.bin ?? {})) {
    if (!tree.has(file)) complain(`bin["${name}"] names ${file}, which does not exist.`);
  }
  for (const folder of subPathFolders) {
    const file = `./src/${folder}/index.ts`;
    if (tree.has(file) && tree.manifest.exports[`./${folder}`] === undefined) {
      complain(`Users cannot import tensile/${folder}. Add "./${folder}": "${file}" to exports.`);
    }
  }
  return complaints;
}
