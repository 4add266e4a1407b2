import assert from "node:assert/strict";
import { join, sep } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { attachment } from "./disposition.ts";
import { safeSegments } from "./safe-path.ts";
import { anyCodePoint } from "../../tools/random-schemas.ts";

test("plain names are safe, and a slash at the end means the folder", () => {
  assert.deepEqual(safeSegments("", false), [""]);
  assert.deepEqual(safeSegments("a/b c/\u00fc.txt", false), ["a", "b c", "\u00fc.txt"]);
  assert.deepEqual(safeSegments("a/", false), ["a", ""]);
  for (const name of ["con.txt", "a:b", "nul", "a."]) assert.deepEqual(safeSegments(name, false), [name]);
});

test("what could leave the folder, or name what is hidden, is refused", () => {
  const refused = [
    "/",
    "/etc",
    "a//b",
    "..",
    "a/..",
    "a/../b",
    ".",
    ".env",
    "a/.git/config",
    "..\\a",
    "a\\b",
    "a\0",
    "a\n",
    "\u007f",
  ];
  for (const path of [...refused, "\ud800"]) assert.equal(safeSegments(path, false), undefined, JSON.stringify(path));
});

test("on Windows so are devices with any extension, drives, streams, wildcards, and names that lose their end", () => {
  const refused = [
    "con",
    "CON.txt",
    "a/nul",
    "Aux.tar.gz",
    "prn .x",
    "com1",
    "LPT9.x",
    "com\u00b9",
    "conin$",
    "C:",
    "a::$DATA",
    "a*",
    "a?",
    "a.",
    "a ",
  ];
  for (const path of refused) assert.equal(safeSegments(path, true), undefined, path);
  for (const path of ["console.js", "com", "com10.txt", "null", "auxiliary"])
    assert.deepEqual(safeSegments(path, true), [path]);
});

test("joined to a root, safe segments stay below it, and hold no dotfile", () => {
  const piece = fc.constantFrom("a", "..", ".", "", "/", "\\", ":", "\0", "%", " ", "C", "\u2024");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((all) => all.join("")),
        fc.string({ unit: anyCodePoint }),
      ),
      fc.boolean(),
      (path, windows) => {
        const segments = safeSegments(path, windows);
        if (segments === undefined) return;
        const joined = join(`${sep}root`, path);
        assert.ok(joined === `${sep}root` || joined.startsWith(`${sep}root${sep}`), joined);
        assert.ok(segments.every((segment) => !segment.startsWith(".")));
      },
    ),
  );
});

test("an attachment's name is sent in ASCII, and in UTF-8 where that is not enough", () => {
  assert.equal(attachment("report.pdf"), 'attachment; filename="report.pdf"');
  assert.equal(
    attachment("\u00dcber 100%'(1)*.pdf"),
    `attachment; filename="_ber 100_'(1)_.pdf"; filename*=UTF-8''%C3%9Cber%20100%25%27%281%29_.pdf`,
  );
  assert.equal(attachment('../a"b\\c\r\nx: y'), 'attachment; filename=".._a_b_c__x_ y"');
  assert.equal(attachment("a\u202efdp.exe"), 'attachment; filename="a_fdp.exe"');
});

test("whatever the name, the header holds visible ASCII, and one file name in quotes", () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 400 }), (name) => {
      assert.match(
        attachment(name),
        /^attachment; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(?:; filename\*=UTF-8''[\w.!~%#$&+^`|{}-]*)?$/,
      );
    }),
  );
});
