/** Conditional and ranged requests (RFC 9110 sections 13 and 14): which part of a representation is the answer, if any. Pure. */
import { namesTag, type HttpRequest } from "../exchange/index.ts";
import type { Validators } from "./validators.ts";

export type Verdict =
  | { readonly send: "all" }
  /** 206: `length` bytes, at least 1, from `start`. */
  | { readonly send: "part"; readonly start: number; readonly length: number }
  | { readonly send: "not_modified" }
  | { readonly send: "precondition_failed" }
  | { readonly send: "range_not_satisfiable" };

/** In the order of RFC 9110 section 13.2.2. */
export function judge(request: HttpRequest, size: number, validators: Validators): Verdict {
  if (!matches(request, validators)) return { send: "precondition_failed" };
  if (isUnmodified(request, validators)) return { send: "not_modified" };
  const range = request.method === "GET" ? request.header("range") : undefined;
  if (range === undefined || !rangeApplies(request, validators)) return { send: "all" };
  return rangeOf(range, size);
}

/** If-Match, else If-Unmodified-Since. */
function matches(request: HttpRequest, { etag, lastModified, modifiedMs, strong }: Validators): boolean {
  const wanted = request.header("if-match");
  if (wanted !== undefined)
    return wanted.trim() === "*" || (strong && etag !== undefined && namesTag(wanted, etag, "strong"));
  const since = dateOf(request.header("if-unmodified-since"));
  return since === undefined || lastModified === undefined || modifiedMs <= since;
}

/** If-None-Match, by weak comparison; else If-Modified-Since. */
function isUnmodified(request: HttpRequest, { etag, lastModified, modifiedMs }: Validators): boolean {
  const known = request.header("if-none-match");
  if (known !== undefined) {
    if (known.trim() === "*") return true;
    return etag !== undefined && namesTag(known, etag, "weak");
  }
  const since = dateOf(request.header("if-modified-since"));
  return since !== undefined && lastModified !== undefined && modifiedMs <= since;
}

/** If-Range: the part is wanted of this version only, by strong comparison. */
function rangeApplies(request: HttpRequest, { etag, lastModified, strong }: Validators): boolean {
  const version = request.header("if-range")?.trim();
  if (version === undefined) return true;
  return strong && (version === etag || version === lastModified);
}

const fixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** In ms. The two obsolete forms, which no client sends, count as absent. */
function dateOf(value: string | undefined): number | undefined {
  if (value === undefined || !fixdate.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

const singleRange = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/** One range is answered; several, another unit, or nonsense are ignored, as section 14.2 allows: the answer is the whole. */
function rangeOf(value: string, size: number): Verdict {
  const [, first = "", last = ""] = singleRange.exec(value) ?? [];
  if (first === "" && last === "") return { send: "all" };
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? { send: "range_not_satisfiable" } : { send: "part", start: size - length, length };
  }
  const start = Number(first);
  const end = last === "" ? Infinity : Number(last);
  if (end < start) return { send: "all" };
  if (start >= size) return { send: "range_not_satisfiable" };
  return { send: "part", start, length: Math.min(end, size - 1) - start + 1 };
}
