import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { occurrencesOf } from "./cron.ts";

const day = 86_400_000;

/** ISO times of the occurrences in [from, to]. */
function between(cron: string, timeZone: string, from: string, to: string): string[] {
  const occurrences = occurrencesOf("job", { cron, timeZone, input: {} });
  const found: string[] = [];
  let at = occurrences.after(Date.parse(from) - 1);
  while (at !== undefined && at <= Date.parse(to)) {
    found.push(new Date(at).toISOString());
    at = occurrences.after(at);
  }
  return found;
}

test("five fields are minutes, six begin with seconds, and the default zone is UTC", () => {
  const minutes = occurrencesOf("job", { cron: "30 3 * * *", input: {} });
  assert.equal(minutes.after(Date.UTC(2026, 0, 1)), Date.UTC(2026, 0, 1, 3, 30));
  const seconds = occurrencesOf("job", { cron: "15 30 3 * * *", input: {} });
  assert.equal(seconds.after(Date.UTC(2026, 0, 1)), Date.UTC(2026, 0, 1, 3, 30, 15));
});

test("an occurrence at the very moment counts as come, not as next", () => {
  const { after, upTo } = occurrencesOf("job", { cron: "0 3 * * *", input: {} });
  const at = Date.UTC(2026, 5, 1, 3);
  assert.equal(upTo(at), at);
  assert.equal(upTo(at - 1), at - day);
  assert.equal(upTo(at + 999), at);
  assert.equal(after(at), at + day);
  assert.equal(after(at - 1), at);
});

test("in spring, a fixed time that does not exist is due when the clock has jumped", () => {
  // Berlin: 29 March 2026, 02:00 -> 03:00, at 01:00 UTC.
  assert.deepEqual(between("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"), [
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T00:30:00.000Z",
  ]);
  // New York: 8 March 2026, 02:00 -> 03:00, at 07:00 UTC.
  assert.deepEqual(between("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z"), [
    "2026-03-08T07:00:00.000Z",
    "2026-03-09T06:30:00.000Z",
  ]);
});

test("in autumn, a fixed time that comes twice is due once", () => {
  // Berlin: 25 October 2026, 03:00 -> 02:00, at 01:00 UTC.
  assert.deepEqual(between("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"), [
    "2026-10-25T00:30:00.000Z",
    "2026-10-26T01:30:00.000Z",
  ]);
  // New York: 1 November 2026, 02:00 -> 01:00, at 06:00 UTC.
  assert.deepEqual(between("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z"), [
    "2026-11-01T05:30:00.000Z",
    "2026-11-02T06:30:00.000Z",
  ]);
});

test("an hourly job runs every hour that passes on the days of change: 23 in spring, 25 in autumn", () => {
  for (const [zone, spring, autumn] of [
    [
      "Europe/Berlin",
      ["2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z"],
      ["2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z"],
    ],
    [
      "America/New_York",
      ["2026-03-08T05:00:00Z", "2026-03-09T03:59:59Z"],
      ["2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z"],
    ],
  ] as const) {
    assert.equal(between("0 * * * *", zone, spring[0], spring[1]).length, 23);
    assert.equal(between("0 * * * *", zone, autumn[0], autumn[1]).length, 25);
  }
});

test("looking back from an occurrence finds that occurrence, in every zone and at every time of the year", () => {
  const patterns = fc.constantFrom(
    "*/5 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "0 9 * * 1-5",
    "15 10 1 * *",
    "*/20 * * * * *",
  );
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe");
  fc.assert(
    fc.property(
      patterns,
      zones,
      fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2028, 0) }),
      (cron, timeZone, time) => {
        const { after, upTo } = occurrencesOf("job", { cron, timeZone, input: {} });
        const next = after(time);
        assert.ok(next !== undefined && next > time);
        assert.equal(upTo(next), next);
        const last = upTo(time);
        assert.ok(last !== undefined && last <= time);
        assert.ok((after(last) ?? 0) > time);
      },
    ),
    { numRuns: 300 },
  );
});

test("a wrong pattern and an unknown zone are refused with a sentence that names the job", () => {
  for (const schedule of [
    { cron: "every day", input: {} },
    { cron: "61 * * * *", input: {} },
    { cron: "* * * *", input: {} },
    { cron: "0 3 * * *", timeZone: "Europe/Atlantis", input: {} },
  ]) {
    assert.throws(() => occurrencesOf("nightly", schedule), /TypeError: job\("nightly"\): schedule .* is wrong/);
  }
});
