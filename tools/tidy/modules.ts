/** What a file takes and what it offers, read from its syntax tree. */
import { type Node, type SourceFile, SyntaxKind, walk } from "../compiler.ts";

export interface Import {
  readonly specifier: string;
  readonly node: Node;
  /** The exported names taken, or undefined for all of them (`import * as`, `import()`, `new URL(…, import.meta.url)`). */
  readonly names: readonly string[] | undefined;
  /** `static` runs when the file is loaded, `type` leaves no trace at run time, `dynamic` runs when it is reached. */
  readonly mode: "static" | "type" | "dynamic";
  /** `export … from`. */
  readonly again: boolean;
}

export interface Export {
  readonly name: string;
  readonly node: Node;
  /** An interface or a type declared here. */
  readonly isType: boolean;
}

/** The shapes of the nodes read here; the compiler's own types split them over a dozen names. */
interface Shape extends Node {
  readonly text?: string;
  readonly name?: Shape;
  readonly propertyName?: Shape;
  readonly moduleSpecifier?: Shape;
  readonly importClause?: Shape;
  readonly phaseModifier?: SyntaxKind;
  readonly isTypeOnly?: boolean;
  readonly namedBindings?: Shape;
  readonly exportClause?: Shape;
  readonly elements?: readonly Shape[];
  readonly expression?: Shape;
  readonly arguments?: readonly Shape[];
  readonly argument?: Shape;
  readonly literal?: Shape;
  readonly modifiers?: readonly Shape[];
  readonly declarationList?: Shape;
  readonly declarations?: readonly Shape[];
  readonly isExportEquals?: boolean;
}

export function importsOf(source: SourceFile): Import[] {
  const found: Import[] = [];
  walk(source, (node: Shape) => {
    if (node.kind === SyntaxKind.ImportDeclaration) {
      const clause = node.importClause;
      const bindings = clause?.namedBindings;
      const names =
        clause === undefined
          ? []
          : bindings?.kind === SyntaxKind.NamespaceImport
            ? undefined
            : [...(clause.name === undefined ? [] : ["default"]), ...namesTaken(bindings)];
      add(node.moduleSpecifier, node, names, isTypeOnly(clause) ? "type" : "static");
    } else if (node.kind === SyntaxKind.ExportDeclaration && node.moduleSpecifier !== undefined) {
      const clause = node.exportClause;
      const names = clause?.kind === SyntaxKind.NamedExports ? namesTaken(clause) : undefined;
      add(node.moduleSpecifier, node, names, node.isTypeOnly ? "type" : "static", true);
    } else if (node.kind === SyntaxKind.CallExpression && node.expression?.kind === SyntaxKind.ImportKeyword) {
      add(node.arguments?.[0], node, undefined, "dynamic");
    } else if (node.kind === SyntaxKind.ImportType) {
      add(node.argument?.literal, node, undefined, "type");
    } else if (node.kind === SyntaxKind.NewExpression && node.expression?.text === "URL") {
      const [path, base] = node.arguments ?? [];
      if (path === undefined || base?.getText(source) !== "import.meta.url") return;
      // The path may be chosen: `new URL(built ? "./a.js" : "./a.ts", import.meta.url)`.
      for (const literal of [path, ...below(path)]) {
        if (literal.kind === SyntaxKind.StringLiteral && literal.text?.endsWith(".ts"))
          add(literal, node, undefined, "dynamic");
      }
    }
  });
  return found;

  function add(
    specifier: Shape | undefined,
    node: Node,
    names: readonly string[] | undefined,
    mode: Import["mode"],
    again = false,
  ): void {
    if (specifier?.text !== undefined) found.push({ specifier: specifier.text, node, names, mode, again });
  }
}

function below(node: Shape): Shape[] {
  const found: Shape[] = [];
  walk(node, (child) => found.push(child));
  return found;
}

/** The names of `{ a, b as c, type D }` as the other file calls them. */
function namesTaken(clause: Shape | undefined): string[] {
  return (clause?.elements ?? []).map((element) => textOf(element.propertyName ?? element.name));
}

/** `import type …`. A clause whose names are all `type` still loads the file (verbatimModuleSyntax). */
function isTypeOnly(clause: Shape | undefined): boolean {
  return clause?.phaseModifier === SyntaxKind.TypeKeyword || clause?.isTypeOnly === true;
}

export function exportsOf(source: SourceFile): Export[] {
  const found: Export[] = [];
  for (const statement of source.statements as unknown as readonly Shape[]) {
    if (statement.kind === SyntaxKind.ExportDeclaration) {
      const clause = statement.exportClause;
      if (clause?.kind === SyntaxKind.NamedExports) {
        for (const element of clause.elements ?? [])
          found.push({ name: textOf(element.name), node: element, isType: false });
      } else {
        found.push({ name: "*", node: statement, isType: false });
      }
    } else if (statement.kind === SyntaxKind.ExportAssignment) {
      found.push({ name: "default", node: statement, isType: false });
    } else if (statement.modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) {
      const isType =
        statement.kind === SyntaxKind.InterfaceDeclaration || statement.kind === SyntaxKind.TypeAliasDeclaration;
      const declared = statement.declarationList?.declarations ?? [statement];
      for (const { name } of declared) {
        if (name?.text !== undefined) found.push({ name: name.text, node: name, isType });
        // `export const { a, b } = …`
        else
          for (const element of name?.elements ?? []) found.push({ name: textOf(element.name), node: element, isType });
      }
    }
  }
  // Overloads declare one name several times.
  return found.filter(({ name }, i) => found.findIndex((other) => other.name === name) === i);
}

function textOf(node: Shape | undefined): string {
  return node?.text ?? "";
}
