import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { importCities, type City } from "./contract.ts";
import type { ImportRow } from "./cities.ts";
import { fold } from "./fold.ts";
import { packageCities } from "./testing/package-cities.ts";
import { startAtlas } from "./testing/start-atlas.ts";

const rows = 4_000;
const living = packageCities()
  .slice(0, rows)
  .filter((row) => row.living)
  .map(({ city }) => city);
const progress: ImportRow[] = [];
let atlas: Awaited<ReturnType<typeof startAtlas>>;

before(async () => {
  atlas = await startAtlas({ onProgress: (row) => progress.push(row) });
  const imported = await atlas.import(rows);
  assert.deepEqual(imported.ok && imported.value, { imported: living.length, rejected: rows - living.length });
});
after(() => atlas[Symbol.asyncDispose]());

/** The value of a call that must succeed. */
function must<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: unknown },
): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

/** The code of a call that must fail. */
function code(
  result: { readonly ok: true } | { readonly ok: false; readonly fault: { readonly code: string } },
): string {
  return result.ok ? "ok" : result.fault.code;
}

test("a city comes back as the package has it", async () => {
  assert.deepEqual(
    must(await atlas.client.getCity({ id: 3041563 })),
    living.find(({ id }) => id === 3041563),
  );
});

test("a city that is not there is a declared fault, and 404 in HTTP", async () => {
  const missing = await atlas.client.getCity({ id: 1 });
  assert.ok(!missing.ok && missing.fault.code === "CITY_NOT_FOUND");
  assert.deepEqual(missing.fault.data, { id: 1 });

  const response = await fetch(`${atlas.url}/cities/1`);
  assert.equal(response.status, 404);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { code: problemCode, detail } = (await response.json()) as { code: string; detail: string };
  assert.deepEqual({ problemCode, detail }, { problemCode: "CITY_NOT_FOUND", detail: "There is no city 1." });
});

test("a search is paged to its end", async () => {
  const found: City[] = [];
  for (let next: string | null | undefined; next !== null;) {
    const page = must(
      await atlas.client.searchCities({ prefix: "al", limit: 5, ...(next !== undefined && { after: next }) }),
    );
    found.push(...page.cities);
    next = page.next;
  }
  const expected = living
    .filter(({ name }) => fold(name).startsWith("al"))
    .sort((a, b) => b.population - a.population || a.id - b.id);
  assert.ok(expected.length > 20);
  assert.deepEqual(found, expected);
});

test("input that does not fit is refused with every problem at once", async () => {
  const response = await fetch(`${atlas.url}/cities/nearby?lat=91&km=-1&limit=1000&what=1`);
  assert.equal(response.status, 400);
  const { data } = (await response.json()) as { data: { issues: { pointer: string }[] } };
  assert.deepEqual(data.issues.map(({ pointer }) => pointer).sort(), ["/km", "/lat", "/limit", "/lon", "/what"]);
});

test("cities nearby come with their distance, the nearest first", async () => {
  const { cities } = must(await atlas.client.nearbyCities({ lat: 42.50779, lon: 1.52109, km: 30, limit: 5 }));
  assert.equal(cities[0]?.name, "Andorra la Vella");
  assert.equal(cities[0]?.km, 0);
  assert.deepEqual(
    cities,
    cities.toSorted((a, b) => a.km - b.km),
  );
});

test("countries add up", async () => {
  const andorra = living.filter(({ country }) => country === "AD");
  const expected = {
    code: "AD",
    name: "Andorra",
    cities: andorra.length,
    population: andorra.reduce((sum, { population }) => sum + population, 0),
    largest: { id: 3041563, name: "Andorra la Vella" },
  };
  assert.deepEqual(must(await atlas.client.getCountry({ code: "AD" })), expected);
  const { countries } = must(await atlas.client.listCountries());
  assert.deepEqual(
    countries.find((country) => country.code === "AD"),
    expected,
  );
  assert.equal(code(await atlas.client.getCountry({ code: "XX" })), "COUNTRY_NOT_FOUND");
});

test("the import reports its progress after each commit, and what it rejected with the reason", async () => {
  const told = progress.map((row) => row.rows);
  assert.deepEqual([told[0], told.at(-1)], [0, rows]);
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
  assert.ok(told.length > 10);
  const latest = must(await atlas.client.latestImport());
  assert.equal(latest.state, "succeeded");
  assert.deepEqual([latest.rows, latest.total, latest.imported + latest.rejected], [rows, rows, rows]);
  assert.ok(latest.startedAt && latest.finishedAt && latest.finishedAt >= latest.startedAt);

  const [reject] = must(await atlas.keyHolder.getImport({ id: latest.id })).rejects;
  assert.equal(reject?.row, 48);
  assert.match(reject.reason, /^\/feature: must be one of/);
  assert.deepEqual(reject.record, packageCities()[47]?.city);
});

test("only the key's holder imports, and reads who did", async () => {
  assert.equal(code(await atlas.client.startImport({})), "UNAUTHENTICATED");
  assert.equal(code(await atlas.client.getImport({ id: "1" })), "UNAUTHENTICATED");
  assert.equal(code(await atlas.client.listAudit()), "UNAUTHENTICATED");
  for (const authorization of ["Bearer wrong", "Bearer", "", "Basic YTpi", "Bearer a key for test"]) {
    const refused = await fetch(`${atlas.url}/audit`, { headers: { authorization } });
    assert.equal(refused.status, 401, authorization);
  }
  assert.equal(code(await atlas.keyHolder.listAudit()), "ok");
});

test("an import by hand is one commit with its audit entry, and leaves the same cities", async () => {
  const before = must(await atlas.keyHolder.listAudit()).entries.length;
  const started = must(await atlas.keyHolder.startImport({ note: "a test" }));
  const again = must(await atlas.keyHolder.startImport({ note: "joins the first" }));
  assert.deepEqual([started.alreadyRunning, again], [false, { id: started.id, alreadyRunning: true }]);

  const { entries } = must(await atlas.keyHolder.listAudit());
  assert.equal(entries.length, before + 2);
  assert.deepEqual(
    entries.slice(0, 2).map(({ note, action, subject }) => ({ note, action, subject })),
    [
      { note: "joins the first", action: "import", subject: "key-holder" },
      { note: "a test", action: "import", subject: "key-holder" },
    ],
  );
  assert.deepEqual(must(await atlas.keyHolder.listAudit({ before: entries[0]!.id, limit: 1 })).entries, [entries[1]]);

  assert.equal(must(await atlas.keyHolder.getImport({ id: started.id })).id, started.id);
  must(await atlas.server.jobs.cancel(started.id));
  assert.equal(code(await atlas.server.jobs.ref(importCities, started.id).result()), "JOB_CANCELLED");
});

test("other jobs are no imports", async () => {
  const refresh = must(await atlas.server.jobs.list({ name: "refreshCountries" }))[0];
  assert.equal(code(await atlas.keyHolder.getImport({ id: refresh!.id })), "IMPORT_NOT_FOUND");
  assert.equal(code(await atlas.keyHolder.getImport({ id: "999999" })), "IMPORT_NOT_FOUND");
  assert.equal(code(await atlas.keyHolder.getImport({ id: "no id" })), "IMPORT_NOT_FOUND");
});

test("importing again mends what has changed, and leaves every city once", async () => {
  must(
    await atlas.store.transaction((tx) => tx.run("UPDATE city SET name = 'Mended', population = 1 WHERE id = 3041563")),
  );
  must(await atlas.store.transaction((tx) => tx.run("DELETE FROM city WHERE country = 'AE'")));
  must(await atlas.import(rows));
  assert.equal(atlas.cities.search({ prefix: "Mended", limit: 1 }).cities.length, 0);
  const counted = must(await atlas.client.listCountries()).countries.reduce((sum, { cities }) => sum + cities, 0);
  assert.equal(counted, living.length);
});

test("an import that outlasts the drain is cut short after a commit, and goes on at the next start", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "atlas-drain-"));
  context.after(() => rmSync(folder, { recursive: true }));
  let id = "";
  {
    const begun = Promise.withResolvers<void>();
    await using first = await startAtlas({
      folder,
      drain: 1,
      onProgress: ({ rows: read }) => read > 0 && begun.resolve(),
    });
    id = must(await first.server.jobs.enqueue(importCities, { rows: 40_000 })).id;
    await begun.promise;
    const { outcome, failures } = await first.server.stop();
    assert.deepEqual({ outcome, failures }, { outcome: "timed_out", failures: [] });
  }
  await using second = await startAtlas({ folder });
  const checkpoint = second.cities.import(id);
  assert.ok(checkpoint !== undefined && checkpoint.rows > 0 && checkpoint.rows < 40_000);
  const { imported, rejected } = must(await second.server.jobs.ref(importCities, id).result());
  assert.equal(imported + rejected, 40_000);
});
