/**
 * Who may call an operation. Required everywhere, because the safe default is nobody.
 */
import type { MaybePromise } from "../core/index.ts";

/** The caller, as the app's `authenticate` found out. Extend it with what your app knows about its callers. */
export interface Principal {
  /** Stable id of the caller: user id, service name. */
  readonly subject: string;
  /** What the caller was allowed; compared with `access: { scopes }`. */
  readonly scopes?: readonly string[];
}

/**
 * - `"public"`: anyone.
 * - `"authenticated"`: anyone whom `authenticate` recognised.
 * - `{ scopes }`: a recognised caller who holds every scope named.
 * - a function: a recognised caller for whom it returns true. It sees the decoded input.
 */
export type Access<Input = unknown> =
  | "public"
  | "authenticated"
  | { readonly scopes: readonly string[] }
  | ((caller: { readonly auth: Principal; readonly input: Input }) => MaybePromise<boolean>);
