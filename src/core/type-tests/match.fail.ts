// What the compiler says to those who forget a fault.
import { all, type Err, err, Fault, match, matchFault, ok, type Result } from "../index.ts";

type NotFound = Fault<"NOT_FOUND", { readonly id: number }>;
type Busy = Fault<"BUSY", { readonly after: number }>;
declare const result: Result<string, NotFound | Busy>;
declare const fault: NotFound | Busy;

// THROWS TS2345 Property 'BUSY' is missing in type
match(result, { ok: (name) => name, NOT_FOUND: (f) => f.message });

// THROWS TS2345 Property 'ok' is missing in type
match(result, { NOT_FOUND: (f) => f.message, BUSY: (f) => f.message });

// THROWS TS2353 'GONE' does not exist in type
match(result, { ok: (name) => name, NOT_FOUND: (f) => f.message, BUSY: (f) => f.message, GONE: () => "" });

// THROWS TS2339 Property 'after' does not exist on type '{ readonly id: number; }'
match(result, { ok: (name) => name, NOT_FOUND: (f) => String(f.data.after), BUSY: (f) => f.message });

// THROWS TS2741 Property 'BUSY' is missing in type
matchFault(fault, { NOT_FOUND: (f) => f.message });

// THROWS TS2339 Property 'value' does not exist on type 'Err<Busy | NotFound>'
result.value;

// THROWS TS2322 Type 'Ok<number>' is not assignable to type 'Result<string, NotFound>'
export const wrong: Result<string, NotFound> = ok(1);

// THROWS TS2322 Type 'Err<Busy>' is not assignable to type 'Result<string, NotFound>'
export const undeclared: Result<string, NotFound> = err(fault as Busy);

// THROWS TS2322 Type 'Result<[number, string], Busy | NotFound>' is not assignable to type 'Result<[number, string], NotFound>'
export const joined: Result<[number, string], NotFound> = all([
  ok(1) as Result<number, Busy>,
  ok("a") as Result<string, NotFound>,
]);

export function* handler(): Generator<Err<NotFound>, string, unknown> {
  // THROWS TS2322 Type 'Err<Busy | NotFound>' is not assignable to type 'Err<NotFound>'
  return yield* result;
}
