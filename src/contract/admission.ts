/**
 * Whether a caller may call at all. What `authenticate` returned is typed, but decides who gets in, so it is looked at again: a
 * null, a half-read row or a Result that slipped through would otherwise count as somebody.
 */
import { Err, ok, type Fault, type Ok, type Result } from "../core/index.ts";
import type { Access, Principal } from "./access.ts";
import { PermissionDenied, Unauthenticated } from "./framework-faults.ts";

const admittedNobody: Ok<undefined> = Object.freeze(ok());

/** Throws a TypeError for what is no caller: a mistake in `authenticate`. */
export function admitCaller(access: Access<never>, auth: Principal | undefined): Result<Principal | undefined, Fault> {
  if (auth === undefined) return access === "public" ? admittedNobody : new Err(Unauthenticated());
  if (!isPrincipal(auth)) {
    throw new TypeError(
      "authenticate() must return { subject: string, scopes?: string[] }, undefined for nobody, or Unauthenticated() for wrong credentials.",
    );
  }
  if (typeof access === "object" && !access.scopes.every((scope) => auth.scopes?.includes(scope) === true)) {
    return new Err(PermissionDenied());
  }
  return ok(auth);
}

/** `scopes` must be a list: of a text such as "users:write-none", `includes` would find "users:write". */
function isPrincipal(auth: unknown): boolean {
  if (typeof auth !== "object" || auth === null || !("subject" in auth) || typeof auth.subject !== "string")
    return false;
  return !("scopes" in auth) || auth.scopes === undefined || Array.isArray(auth.scopes);
}
