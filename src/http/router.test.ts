import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePath } from "../contract/index.ts";
import { RouteMatch, createRouter, type Router } from "./router.ts";

function router(...routes: string[]): Router<string> {
  return createRouter(
    routes.map((route) => {
      const [method = "", path = ""] = route.split(" ");
      return { method, path, value: route, owner: `"${route}"` };
    }),
  );
}

function found(made: Router<string>, method: string, path: string): unknown {
  const result = made.find(method, path);
  return result instanceof RouteMatch ? [result.value, ...result.captures] : result;
}

test("plain text beats a capture, and a capture beats a tail", () => {
  const made = router("GET /a/{*rest}", "GET /a/{id}", "GET /a/me", "GET /a/{id}/x");
  assert.deepEqual(found(made, "GET", "/a/me"), ["GET /a/me"]);
  assert.deepEqual(found(made, "GET", "/a/7"), ["GET /a/{id}", "7"]);
  assert.deepEqual(found(made, "GET", "/a/7/x"), ["GET /a/{id}/x", "7"]);
  assert.deepEqual(found(made, "GET", "/a/me/x"), ["GET /a/{id}/x", "me"]);
  assert.deepEqual(found(made, "GET", "/a/7/y"), ["GET /a/{*rest}", "7/y"]);
});

test("a capture is decoded, and an escaped slash stays inside it", () => {
  const made = router("GET /a/{id}", "GET /a/{id}/b", "GET /f/{*rest}");
  assert.deepEqual(found(made, "GET", "/a/x%2Fb"), ["GET /a/{id}", "x/b"]);
  assert.deepEqual(found(made, "GET", "/a/Z%C3%BCrich"), ["GET /a/{id}", "Zürich"]);
  assert.deepEqual(found(made, "GET", "/f/a%20b/c"), ["GET /f/{*rest}", "a b/c"]);
  assert.deepEqual(found(made, "GET", "/f/a%2Fb"), { miss: "not_found" });
});

test("a bad escape is told apart from a path that leads nowhere", () => {
  const made = router("GET /a/{id}");
  for (const path of ["/a/%", "/a/%zz", "/a/%ff", "/nowhere/%C3"]) {
    assert.deepEqual(found(made, "GET", path), { miss: "bad_escape" });
    assert.deepEqual(found(made, "PUT", path), { miss: "bad_escape" });
  }
});

test("an escaped letter is that letter, so that it cannot slip past a more specific route", () => {
  const made = router("GET /users/me", "GET /users/{id}");
  assert.deepEqual(found(made, "GET", "/users/m%65"), ["GET /users/me"]);
});

test("slashes, dots and case are never normalised into another route", () => {
  const made = router("GET /a/b", "GET /a/{id}", "GET /f/{*rest}", "GET /");
  for (const path of [
    "/a/b/",
    "//a/b",
    "/a//b",
    "/A/b",
    "/a/",
    "/a",
    "/a/..",
    "/a/.",
    "/a/%2e%2E",
    "/f/",
    "/f/x/../y",
    "/f/.",
    "/f/%2e",
  ]) {
    assert.deepEqual(found(made, "GET", path), { miss: "not_found" }, path);
  }
  assert.deepEqual(found(made, "GET", "/"), ["GET /"]);
  assert.deepEqual(found(made, "GET", "/f/x//y/"), ["GET /f/{*rest}", "x//y/"]);
  assert.deepEqual(found(made, "GET", "/a/..."), ["GET /a/{id}", "..."]);
});

test("HEAD is answered by GET unless it has a route of its own", () => {
  const made = router("GET /a", "GET /b", "HEAD /b");
  assert.deepEqual(found(made, "HEAD", "/a"), ["GET /a"]);
  assert.deepEqual(found(made, "HEAD", "/b"), ["HEAD /b"]);
});

test("another method gets the list of those that answer", () => {
  const made = router("GET /a/{id}", "DELETE /a/{id}", "POST /a");
  assert.deepEqual(found(made, "PUT", "/a/1"), { miss: "method", allow: ["DELETE", "GET", "HEAD", "OPTIONS"] });
  assert.deepEqual(found(made, "GET", "/a"), { miss: "method", allow: ["OPTIONS", "POST"] });
  assert.deepEqual(found(made, "BREW", "/b"), { miss: "not_found" });
  assert.deepEqual(made.methods, ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]);
});

test("a less specific route still answers the methods that the more specific one lacks", () => {
  const made = router("GET /users/me", "DELETE /users/{id}");
  assert.deepEqual(found(made, "DELETE", "/users/me"), ["DELETE /users/{id}", "me"]);
});

test("two routes that match the same paths are refused with a sentence that names both", () => {
  assert.throws(() => router("GET /a/{id}", "GET /a/{id}"), /"GET \/a\/\{id\}" and "GET \/a\/\{id\}" both answer/);
  assert.throws(() => router("GET /a", "GET /a"), TypeError);
  assert.throws(() => router("GET /a/{*x}", "GET /a/{*y}"), /both answer "GET \/a\/\{\*y\}"/);
  assert.throws(() => router("GET /a/{id}/b", "GET /a/{key}/c"), /\{key\}.*\{id\} at the same place/);
  router("GET /a/{id}", "PUT /a/{key}");
});

test("a template that is not one is refused at start", () => {
  for (const path of ["a", "/a//b", "/../a", "/a/b{id}", "/{id}/{id}", "/{*rest}/a", "/a%20b", "/ü", "/{}", "/{a-b}"]) {
    assert.throws(() => parsePath(path), TypeError, path);
  }
  assert.equal(parsePath("/a/").length, 2);
});

/** The rules once more, without a tree: every route is tried, and the most specific one that matches wins. */
function naive(routes: readonly string[], method: string, path: string): unknown {
  let segments: string[];
  try {
    segments = path
      .slice(1)
      .split("/")
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return { miss: "bad_escape" };
  }
  const matching = (wanted: string): { route: string; rank: string; captures: string[] }[] =>
    routes.flatMap((route) => {
      const [of = "", template = ""] = route.split(" ");
      if (of !== wanted) return [];
      let rank = "";
      const captures: string[] = [];
      const parts = parsePath(template);
      for (const [i, part] of parts.entries()) {
        const segment = segments[i];
        if (segment === undefined) return [];
        if (part.kind === "tail") {
          const rest = segments.slice(i);
          if (rest.join("/") === "" || rest.some((one) => one === "." || one === ".." || one.includes("/"))) return [];
          return [{ route, rank: `${rank}2`, captures: [...captures, rest.join("/")] }];
        }
        if (part.kind === "literal" ? segment !== part.text : ["", ".", ".."].includes(segment)) return [];
        if (part.kind === "capture") captures.push(segment);
        rank += part.kind === "literal" ? "0" : "1";
      }
      return parts.length === segments.length ? [{ route, rank, captures }] : [];
    });
  const best = matching(method).toSorted((a, b) => (a.rank < b.rank ? -1 : 1))[0];
  if (best !== undefined) return [best.route, ...best.captures];
  if (method === "HEAD") return naive(routes, "GET", path);
  const allow = new Set(["GET", "POST"].filter((one) => matching(one).length > 0));
  if (allow.size === 0) return { miss: "not_found" };
  if (allow.has("GET")) allow.add("HEAD");
  return { miss: "method", allow: [...allow, "OPTIONS"].toSorted() };
}

test("the tree finds what trying every route finds", () => {
  const literal = fc.constantFrom("a", "b", "ab", "");
  const template = fc
    .tuple(fc.array(fc.oneof(literal, fc.constant("{}")), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([segments, tail]) => {
      // The same name at the same depth, so that no two routes clash over names.
      const named = segments.map((segment, i) => (segment === "{}" ? `{c${i}}` : segment));
      return `/${[...named.map((s, i) => (s === "" && (i < named.length - 1 || tail) ? "a" : s)), ...(tail ? ["{*rest}"] : [])].join("/")}`;
    });
  const routes = fc.uniqueArray(
    fc.tuple(fc.constantFrom("GET", "POST"), template).map((route) => route.join(" ")),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  const segment = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("a", "b", "ab", "") },
    { weight: 2, arbitrary: fc.constantFrom("%61", "..", ".", "%2e", "a%2Fb", "%2", "%ff", "c") },
  );
  const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join("/")}`);
  const property = fc.property(
    routes,
    fc.constantFrom("GET", "POST", "HEAD", "PUT"),
    fc.array(path, { minLength: 1 }),
    (all, method, paths) => {
      const made = router(...all);
      for (const one of paths) assert.deepEqual(found(made, method, one), naive(all, method, one), `${method} ${one}`);
    },
  );
  fc.assert(property, { numRuns: Number(process.env["TENSILE_RUNS"] ?? 500) });
});
