/** Which web origins are meant by an option: exact ones, all subdomains of a host, a pattern, or whatever a function says. */
import type { MaybePromise } from "../core/index.ts";
import type { HttpRequest } from "../exchange/index.ts";

/**
 * - text: an origin as browsers write it, `https://app.example`; `https://*.example.com` for every host below it, at any depth; `null`
 *   for documents without an origin (sandboxed frames, files): anybody can make one
 * - a RegExp anchored at both ends, without flags that keep state
 */
export type OriginRule = string | RegExp;

/** Asked for an origin that no rule names, never for `null`. */
export type OriginTest = (origin: string, request: HttpRequest) => MaybePromise<boolean>;

/** Whether an Origin header's value is meant. */
export function originTest(maker: string, rules: readonly OriginRule[] | OriginTest): OriginTest {
  if (typeof rules === "function") return (origin, request) => (origin === "null" ? false : rules(origin, request));
  if (!Array.isArray(rules))
    throw new TypeError(`${maker}(): origins is a list, ["https://app.example"], or a function of the origin.`);
  const exact = new Set<string>();
  const below: { readonly start: string; readonly end: string }[] = [];
  const patterns: RegExp[] = [];
  for (const rule of rules as readonly OriginRule[]) {
    if (rule instanceof RegExp) patterns.push(checkPattern(maker, rule));
    else if (typeof rule === "string" && rule.includes("://*.")) below.push(checkBelow(maker, rule));
    else exact.add(checkOrigin(maker, rule));
  }
  return (origin) => {
    if (exact.has(origin)) return true;
    // Documents without an origin are meant only when they are named.
    if (origin === "null") return false;
    return below.some((rule) => isBelow(origin, rule)) || patterns.some((pattern) => pattern.test(origin));
  };
}

function checkOrigin(maker: string, origin: unknown): string {
  if (origin === "null") return origin;
  const fits = typeof origin === "string" && URL.canParse(origin) && new URL(origin).origin === origin;
  if (!fits) {
    throw new TypeError(
      `${maker}(): "${String(origin)}" is no origin. Write scheme, host and port as browsers do, without a slash at the end: "https://app.example".`,
    );
  }
  return origin;
}

function checkBelow(maker: string, rule: string): { readonly start: string; readonly end: string } {
  const [scheme = "", host = ""] = rule.split("://*.");
  const origin = checkOrigin(maker, `${scheme}://${host}`);
  // Every site of a registry would be meant.
  if (!host.includes("."))
    throw new TypeError(`${maker}(): "${rule}" means every host below "${host}". Name a domain of yours.`);
  return { start: `${scheme}://`, end: `.${origin.slice(scheme.length + 3)}` };
}

const labels = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

function isBelow(origin: string, { start, end }: { readonly start: string; readonly end: string }): boolean {
  if (!origin.startsWith(start) || !origin.endsWith(end) || origin.length <= start.length + end.length) return false;
  return labels.test(origin.slice(start.length, -end.length));
}

function checkPattern(maker: string, pattern: RegExp): RegExp {
  const { source, flags } = pattern;
  // Alternatives at the top would be anchored at one end each.
  const anchored =
    source.startsWith("^") && source.endsWith("$") && !source.endsWith("\\$") && !hasTopAlternative(source);
  if (!anchored)
    throw new TypeError(
      `${maker}(): /${source}/ would also match inside of other origins. Anchor it: /^https:\\/\\/…$/.`,
    );
  if (/[gym]/.test(flags)) throw new TypeError(`${maker}(): /${source}/${flags}: leave the flags g, y and m out.`);
  return pattern;
}

function hasTopAlternative(source: string): boolean {
  let depth = 0;
  let inClass = false;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === "\\") i++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "|" && depth === 0) return true;
  }
  return false;
}
