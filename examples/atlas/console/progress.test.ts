import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImportRow } from "../cities.ts";
import { progressReport } from "./progress.ts";

const total = 10_000;

/** Reports `rows` at each of the times, in ms, and gives what was written. */
function written(
  screen: { isTTY?: boolean; columns?: number },
  steps: readonly (readonly [ms: number, rows: number])[],
): string {
  let time = 0;
  let text = "";
  const report = progressReport({ ...screen, write: (part) => (text += part) }, () => time);
  for (const [ms, rows] of steps) {
    time = ms;
    const finished_at = rows === total ? 1 : null;
    const row: ImportRow = {
      job: "7",
      offset: 0,
      lat: 0,
      lon: 0,
      rows,
      total,
      imported: rows,
      rejected: 0,
      started_at: 0,
      finished_at,
    };
    report(finished_at === null ? row : { ...row, imported: total - 3, rejected: 3 });
  }
  return text;
}

test("without a terminal each tenth is a line", () => {
  assert.equal(
    written({}, [
      [0, 0],
      [100, 500],
      [200, 1_000],
      [250, 1_100],
      [1_000, 5_000],
      [2_000, total],
    ]),
    "Importing 10,000 rows.\n" +
      "Importing: 10 %, 1,000 of 10,000 rows, 5,000/s\n" +
      "Importing: 50 %, 5,000 of 10,000 rows, 5,000/s\n" +
      "Imported 9,997 cities in 2.0 s (5,000/s). 3 rows were no cities: GET /imports/7 says why.\n",
  );
});

test("an import that goes on counts its own speed from where it began", () => {
  assert.equal(
    written({}, [
      [0, 4_000],
      [500, 6_000],
      [1_000, total],
    ]),
    "The import goes on after row 4,000 of 10,000.\n" +
      "Importing: 60 %, 6,000 of 10,000 rows, 4,000/s\n" +
      "Imported 9,997 cities in 1.0 s (6,000/s). 3 rows were no cities: GET /imports/7 says why.\n",
  );
});

test("an import that had ended already says nothing", () => {
  assert.equal(written({}, [[0, total]]), "");
});

test("on a terminal one line redraws itself, at most ten times a second, with the time that is left", () => {
  const lines = written({ isTTY: true, columns: 80 }, [
    [0, 0],
    [1_000, 2_500],
    [1_050, 2_600],
    [2_000, 5_000],
    [4_000, total],
  ]).split("\r\u001b[K");
  assert.deepEqual(lines, [
    "Importing 10,000 rows.\n",
    `${"░".repeat(24)} 0 %  0 of 10,000`,
    `${"█".repeat(6)}${"░".repeat(18)} 25 %  2,500 of 10,000  2,500/s  3 s left`,
    `${"█".repeat(12)}${"░".repeat(12)} 50 %  5,000 of 10,000  2,500/s  2 s left`,
    "Imported 9,997 cities in 4.0 s (2,500/s). 3 rows were no cities: GET /imports/7 says why.\n",
  ]);
});

test("a narrow terminal gets a line that fits", () => {
  const lines = written({ isTTY: true, columns: 30 }, [
    [0, 0],
    [1_000, 2_500],
  ]).split("\r\u001b[K");
  assert.ok(lines.slice(1).every((line) => line.length <= 29));
});
