import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { before, test } from "node:test";
import fc from "fast-check";
import { readCities, type Search } from "./cities.ts";
import type { City } from "./contract.ts";
import { fold } from "./fold.ts";
import { distanceKm } from "./geo.ts";
import { migrations } from "./tables.ts";
import { packageCities } from "./testing/package-cities.ts";

const all = packageCities().map(({ city }) => city);
const cities = readCities(() => db);
let db: DatabaseSync;

before(() => {
  db = new DatabaseSync(":memory:");
  for (const migration of migrations) db.exec(migration);
  const insert = db.prepare("INSERT INTO city VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db.exec("BEGIN");
  for (const { id, name, country, region, feature, population, lat, lon } of all) {
    insert.run(id, name, fold(name), country, region, feature, population, lat, lon);
  }
  db.exec("COMMIT");
});

test("a city is found by its id, and nothing by another", () => {
  assert.deepEqual(
    { ...cities.city(3041563) },
    all.find(({ id }) => id === 3041563),
  );
  assert.equal(cities.city(1), undefined);
});

test("the first of a search is the biggest, whatever the accents", () => {
  assert.equal(cities.search({ prefix: "zur", limit: 1 }).cities[0]?.name, "Zürich");
  assert.equal(cities.search({ prefix: "ZÜR", limit: 1 }).cities[0]?.name, "Zürich");
  assert.equal(cities.search({ prefix: "sao p", limit: 1 }).cities[0]?.name, "São Paulo");
  assert.equal(cities.search({ prefix: "san", country: "US", limit: 1 }).cities[0]?.name, "San Antonio");
});

test("the pages of a search, one after another, are everything that matches, the biggest first", () => {
  const searches: Search[] = [
    { prefix: "san", limit: 100 },
    { prefix: "new", country: "US", limit: 7 },
    { prefix: "", country: "IS", limit: 20 },
    { prefix: "x", limit: 1 },
    { prefix: "there is no such city", limit: 10 },
  ];
  for (const search of searches) {
    const expected = all
      .filter(
        ({ name, country }) => fold(name).startsWith(fold(search.prefix)) && country === (search.country ?? country),
      )
      .sort((a, b) => b.population - a.population || a.id - b.id);
    assert.deepEqual(
      everyPage(search),
      expected.map(({ id }) => id),
    );
  }
});

test("a search without a prefix gives the biggest cities of the world", () => {
  const biggest = all.toSorted((a, b) => b.population - a.population || a.id - b.id).slice(0, 100);
  assert.deepEqual(
    cities.search({ prefix: "", limit: 100 }).cities.map(({ id }) => id),
    biggest.map(({ id }) => id),
  );
});

function everyPage(search: Search): number[] {
  const ids: number[] = [];
  for (let after: string | null | undefined; after !== null;) {
    const page = cities.search(after === undefined ? search : { ...search, after });
    assert.ok(page.cities.length <= search.limit);
    ids.push(...page.cities.map(({ id }) => id));
    after = page.next;
  }
  return ids;
}

test("the cities around a point are those that measuring every city finds", () => {
  const near = fc.record({
    city: fc.nat(all.length - 1).map((at) => all[at]!),
    off: fc.double({ min: -2, max: 2, noNaN: true }),
  });
  const atCity = near.map(({ city, off }) => ({ lat: clamp(city.lat + off, 90), lon: clamp(city.lon - off, 180) }));
  const anywhere = fc.record({
    lat: fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), fc.constantFrom(-90, 90)),
    lon: fc.double({ min: -180, max: 180, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.oneof(atCity, anywhere),
      fc.oneof(fc.double({ min: 0, max: 500, noNaN: true }), fc.constant(50)),
      fc.integer({ min: 1, max: 100 }),
      ({ lat, lon }, km, limit) => assert.deepEqual(nearby(lat, lon, km, limit), measured(lat, lon, km, limit)),
    ),
    { numRuns: 40 },
  );
});

test("Fiji has cities on both sides of the date line", () => {
  for (const lon of [180, -180, 179.9, -179.9]) {
    assert.deepEqual(
      cities
        .nearby(-18.1, lon, 150, 100)
        .map(({ name }) => name)
        .sort(),
      ["Levuka", "Tubou"],
    );
  }
});

test("around the pole lies every longitude", () => {
  assert.deepEqual(nearby(90, 0, 500, 10), measured(90, 0, 500, 10));
  // Longyearbyen is 1,310 km away: farther than the API looks, near enough for the query.
  assert.equal(cities.nearby(90, 77, 1_400, 1)[0]?.name, "Longyearbyen");
});

function nearby(lat: number, lon: number, km: number, limit: number): number[] {
  return cities.nearby(lat, lon, km, limit).map(({ id }) => id);
}

function measured(lat: number, lon: number, km: number, limit: number): number[] {
  return all
    .map((city: City) => ({ id: city.id, km: distanceKm(lat, lon, city.lat, city.lon) }))
    .filter((city) => city.km <= km)
    .sort((a, b) => a.km - b.km || a.id - b.id)
    .slice(0, limit)
    .map(({ id }) => id);
}

function clamp(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}
