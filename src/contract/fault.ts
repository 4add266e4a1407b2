/**
 * Declares a fault: the constructor that handlers call, and the plain data that projections read.
 */
import { Fault, kinds, type Kind } from "../core/index.ts";
import { t, type Shape, type ShapeInput, type ShapeOutput } from "../schema/index.ts";

/** A declared fault. Call it to make one: `CityNotFound({ id: 7 })`. */
export interface FaultType<Code extends string = string, S extends Shape = Shape> {
  (...data: FaultArguments<S>): Fault<Code, ShapeOutput<S>>;
  readonly code: Code;
  readonly kind: Kind;
  /** Schema of the data. An object without fields for a fault that carries none. */
  readonly schema: ReturnType<typeof t.object<S>>;
  readonly description: string | undefined;
  /** Whether a value is this fault. */
  is(value: unknown): value is Fault<Code, ShapeOutput<S>>;
}

type FaultArguments<S extends Shape> = [keyof S] extends [never]
  ? [data?: Record<string, never>, message?: string]
  : [data: ShapeInput<S>, message?: string];

/** What code that handles every declared fault alike accepts. */
export interface AnyFaultType {
  readonly code: string;
  readonly kind: Kind;
  readonly schema: FaultType["schema"];
  readonly description: string | undefined;
  is(value: unknown): boolean;
}

export interface FaultOptions<S extends Shape> {
  /** The row of the kind table: HTTP, gRPC and GraphQL status and whether a retry may help. */
  readonly kind: Kind;
  /** Fields that travel to the client with the code. */
  readonly data?: S;
  /** A sentence for people; a function receives the data. Default: the title of the kind. */
  readonly message?: string | ((data: ShapeInput<S>) => string);
  /** For the API documentation. */
  readonly description?: string;
}

/** The fault values that a list of declared faults stands for. */
export type FaultsOf<F extends readonly unknown[]> = F[number] extends infer T
  ? T extends FaultType<infer C, infer S>
    ? Fault<C, ShapeOutput<S>>
    : never
  : never;

const codePattern = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * Declares a fault.
 *
 * @example
 * const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
 * const failure = CityNotFound({ id: 7 });
 *
 * Throws a TypeError for a code that is not upper snake case (at most 64 characters) or a kind that is not in the table.
 */
export function fault<const Code extends string, S extends Shape = Record<never, never>>(
  code: Code,
  options: FaultOptions<S>,
): FaultType<Code, S> {
  if (!codePattern.test(code)) {
    throw new TypeError(
      `Fault code "${code}" must be upper snake case, such as "CITY_NOT_FOUND", with at most 64 characters.`,
    );
  }
  if (!Object.hasOwn(kinds, options.kind)) {
    throw new TypeError(
      `Fault "${code}": kind "${options.kind}" is not in the table. Known kinds: ${Object.keys(kinds).join(", ")}.`,
    );
  }
  const { kind, message = kinds[kind].title } = options;
  const make = (data: ShapeInput<S> = {} as ShapeInput<S>, text?: string): Fault<Code, ShapeOutput<S>> =>
    new Fault(code, kind, data as ShapeOutput<S>, text ?? (typeof message === "function" ? message(data) : message));
  const type = Object.assign(make as (...data: FaultArguments<S>) => Fault<Code, ShapeOutput<S>>, {
    code,
    kind,
    schema: t.object(options.data ?? ({} as S)),
    description: options.description,
    is: (value: unknown): value is Fault<Code, ShapeOutput<S>> => value instanceof Fault && value.code === code,
  });
  return Object.freeze(type);
}
