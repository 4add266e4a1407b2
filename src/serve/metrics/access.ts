/** Who may read the metrics. They tell an attacker what hurts, so that nobody reads them by accident. */
import { createHash, timingSafeEqual } from "node:crypto";
import { PermissionDenied, Unauthenticated } from "../../contract/index.ts";
import { isPromiseLike, type Fault, type MaybePromise } from "../../core/index.ts";
import type { HttpRequest } from "../../http/index.ts";

/**
 * `public`: whoever reaches the port. `bearer`: whoever sends the token. A function: whoever it says true of; what it throws is
 * a no.
 */
export type MetricsAccess =
  | "public"
  | { readonly bearer: string }
  | ((request: Pick<HttpRequest, "header" | "remoteAddress">) => MaybePromise<boolean>);

export type Gate = (request: HttpRequest) => MaybePromise<Fault | undefined>;

/** @throws TypeError for a token that is missing or shorter than 16 characters. */
export function metricsGate(access: MetricsAccess): Gate {
  if (access === "public") return () => undefined;
  if (typeof access === "function") return (request) => asked(access, request);
  const { bearer } = access;
  if (typeof bearer !== "string" || bearer.length < 16) {
    throw new TypeError(
      "serve(): metrics.access.bearer is a secret of at least 16 characters. Is the environment variable set from which it comes?",
    );
  }
  const expected = digest(`Bearer ${bearer}`);
  return (request) =>
    // Digests are equally long, so that comparing takes equally long.
    timingSafeEqual(digest(request.header("authorization") ?? ""), expected) ? undefined : Unauthenticated();
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function asked(access: Extract<MetricsAccess, (...call: never) => unknown>, request: HttpRequest): ReturnType<Gate> {
  const verdict = (allowed: unknown): Fault | undefined => (allowed === true ? undefined : PermissionDenied());
  try {
    const allowed = access(request);
    return isPromiseLike(allowed) ? allowed.then(verdict, () => PermissionDenied()) : verdict(allowed);
  } catch {
    return PermissionDenied();
  }
}
