/**
 * A Result that nobody looks at is a failure that nobody sees: `await enqueue(job)` on a line of its own compiles, and the
 * fault is lost. oxlint has no rule for it, so this tool asks the compiler for the type of every expression statement.
 *
 * An error is: an expression statement whose value is a Result, and a function that returns a Result where the caller
 * expects `void` (`list.forEach((x) => save(x))`). A promise of a Result that is not awaited is a floating promise, which
 * oxlint reports. To drop a Result on purpose, write `void`.
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Checker,
  lineOf,
  type Node,
  openProject,
  SignatureKind,
  SyntaxKind,
  type Type,
  TypeFlags,
  walk,
} from "./compiler.ts";

export interface Dropped {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Every dropped Result in the project, in order of file and line. */
export function droppedResults(configFile: string): Dropped[] {
  using project = openProject(configFile);
  const { checker } = project;
  const isResult = resultTest(checker);
  const dropped: Dropped[] = [];
  for (const file of project.files) {
    const statements: Node[] = [];
    const functions: { node: Node; body: Node }[] = [];
    walk(file, (node) => {
      if (node.kind === SyntaxKind.ExpressionStatement) {
        const { expression } = node as Node & { expression: Node };
        if (!isAssignment(expression)) statements.push(expression);
      } else if (node.kind === SyntaxKind.ArrowFunction) {
        const { body } = node as Node & { body: Node };
        if (body.kind !== SyntaxKind.Block) functions.push({ node, body });
      }
    });
    const report = (node: Node): void => {
      const text = node.getText(file).replaceAll(/\s+/g, " ");
      dropped.push({
        file: file.fileName,
        line: lineOf(file, node),
        text: text.length > 60 ? `${text.slice(0, 60)}…` : text,
      });
    };
    const types = checker.getTypeAtLocation([...statements, ...functions.map(({ body }) => body)]);
    statements.forEach((node, i) => {
      if (isResult(types[i])) report(node);
    });
    functions.forEach(({ node, body }, i) => {
      if (isResult(types[statements.length + i]) && isExpectedToReturnVoid(checker, node)) report(body);
    });
  }
  return dropped;
}

/** `x = f()` and its kin keep the value. */
function isAssignment(node: Node): boolean {
  if (node.kind !== SyntaxKind.BinaryExpression) return false;
  const operator = (node as Node & { operatorToken: Node }).operatorToken.kind;
  return operator >= SyntaxKind.FirstAssignment && operator <= SyntaxKind.LastAssignment;
}

/** Whether a type is, or may be, `Ok` or `Err` of src/core/result.ts. Asks the compiler once for each type. */
function resultTest(checker: Checker): (type: Type | undefined) => boolean {
  const known = new Map<number, boolean>();
  const look = (type: Type): boolean => {
    if (type.isUnionType() || type.isIntersectionType()) return type.getTypes().some(test);
    if (type.isTypeParameter()) return test(checker.getBaseConstraintOfType(type));
    if (!type.isObjectType()) return false;
    const symbol = type.getSymbol();
    return (
      (symbol?.name === "Ok" || symbol?.name === "Err") &&
      symbol.declarations.some(({ path }) => path.endsWith("/core/result.ts"))
    );
  };
  const test = (type: Type | undefined): boolean => {
    if (type === undefined) return false;
    let answer = known.get(type.id);
    if (answer === undefined) {
      // A type that contains itself must not be looked into for ever.
      known.set(type.id, false);
      answer = look(type);
      known.set(type.id, answer);
    }
    return answer;
  };
  return test;
}

function isExpectedToReturnVoid(checker: Checker, node: Node): boolean {
  const expected = checker.getContextualType(node as Parameters<Checker["getContextualType"]>[0]);
  if (expected === undefined) return false;
  const signatures = checker.getSignaturesOfType(expected, SignatureKind.Call);
  if (signatures.length === 0) return false;
  return signatures.every((signature) => {
    const returned = checker.getReturnTypeOfSignature(signature);
    return returned !== undefined && (returned.flags & TypeFlags.Void) !== 0;
  });
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const dropped = droppedResults(`${root}tsconfig.json`);
  for (const { file, line, text } of dropped) {
    console.error(
      `${relative(root, file)}:${line}: the Result of \`${text}\` is dropped, and with it a fault. ` +
        "Handle it (match, yield*, or look at .ok), or write `void` before it to say that the outcome does not matter.",
    );
  }
  if (dropped.length > 0) process.exitCode = 1;
}
