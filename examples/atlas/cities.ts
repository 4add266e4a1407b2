/**
 * Reading the atlas. Statements are prepared once and run on the caller's thread: an indexed read takes microseconds, less than
 * handing it to another thread would. Each has a limit.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Json } from "tensile";
import type { AuditEntry, City, CityPage, Country, NearbyCity, Reject } from "./contract.ts";

import { fold } from "./fold.ts";
import { boxesAround, distanceKm, type Box } from "./geo.ts";
import type { Position } from "./source.ts";

export interface Search {
  readonly prefix: string;
  readonly country?: string;
  readonly limit: number;
  /** `population-id` of the last city of the page before. */
  readonly after?: string;
}

/** An import as its checkpoint tells it. */
export interface ImportRow extends Position {
  readonly job: string;
  readonly rows: number;
  readonly total: number;
  readonly imported: number;
  readonly rejected: number;
  readonly started_at: number;
  readonly finished_at: number | null;
}

export type Cities = ReturnType<typeof readCities>;

const columns = "id, name, country, region, feature, population, lat, lon";
const page =
  "population <= :population AND (population < :population OR id > :id) ORDER BY population DESC, id LIMIT :limit";

const sql = {
  city: `SELECT ${columns} FROM city WHERE id = ?`,
  byName: `SELECT ${columns} FROM city WHERE folded >= :from AND folded < :to AND (:country IS NULL OR country = :country) AND ${page}`,
  byCountry: `SELECT ${columns} FROM city WHERE country = :country AND ${page}`,
  byPopulation: `SELECT ${columns} FROM city WHERE ${page}`,
  inBand: "SELECT id, lat, lon FROM city WHERE band = ? AND lon BETWEEN ? AND ? AND lat BETWEEN ? AND ?",
  countries: "SELECT c.*, city.name FROM country AS c JOIN city ON city.id = c.largest ORDER BY c.code",
  country: "SELECT c.*, city.name FROM country AS c JOIN city ON city.id = c.largest WHERE c.code = ?",
  audit: "SELECT * FROM audit WHERE subject = ? AND id < ? ORDER BY id DESC LIMIT ?",
  import: "SELECT * FROM import WHERE job = ?",
  latestImport: "SELECT * FROM import ORDER BY started_at DESC LIMIT 1",
  rejects: `SELECT "row", reason, record FROM reject WHERE job = ? ORDER BY "row" LIMIT 10`,
} as const;

/** `open` gives a connection that only reads. It is called once, by the first query: the tables must be there by then. */
export function readCities(open: () => DatabaseSync) {
  let db: DatabaseSync | undefined;
  const prepared = new Map<string, StatementSync>();
  const statement = (name: keyof typeof sql): StatementSync => {
    let known = prepared.get(name);
    if (known === undefined) prepared.set(name, (known = (db ??= open()).prepare(sql[name])));
    return known;
  };
  const city = (id: number): City | undefined => statement("city").get(id) as City | undefined;

  return {
    city,

    search({ prefix, country, limit, after }: Search): CityPage {
      const [population = Number.MAX_SAFE_INTEGER, id = 0] = after?.split("-").map(Number) ?? [];
      const from = fold(prefix);
      // One more than asked for tells whether there is a next page.
      const window = { population, id, limit: limit + 1 };
      const rows =
        from !== ""
          ? statement("byName").all({ ...window, from, to: `${from}\u{10ffff}`, country: country ?? null })
          : country !== undefined
            ? statement("byCountry").all({ ...window, country })
            : statement("byPopulation").all(window);
      const cities = (rows as unknown as City[]).slice(0, limit);
      const last = cities.at(-1);
      return { cities, next: rows.length > limit && last !== undefined ? `${last.population}-${last.id}` : null };
    },

    /** Looks in a small circle first and doubles it, so that a crowded place costs no more than an empty one. */
    nearby(lat: number, lon: number, km: number, limit: number): NearbyCity[] {
      for (let radius = Math.min(km, 16); ; radius = Math.min(km, radius * 2)) {
        const found = boxesAround(lat, lon, radius)
          .flatMap((box) => inBox(statement("inBand"), box))
          .map((place) => ({ id: place.id, km: distanceKm(lat, lon, place.lat, place.lon) }))
          .filter((place) => place.km <= radius);
        if (found.length < limit && radius < km) continue;
        found.sort((a, b) => a.km - b.km || a.id - b.id);
        return found.slice(0, limit).flatMap((place) => {
          const near = city(place.id);
          return near === undefined ? [] : [{ ...near, km: Math.round(place.km * 1000) / 1000 }];
        });
      }
    },

    countries: (): Country[] => (statement("countries").all() as unknown as CountryRow[]).map(countryOf),

    country(code: string): Country | undefined {
      const row = statement("country").get(code) as CountryRow | undefined;
      return row && countryOf(row);
    },

    audit(subject: string, before: number | undefined, limit: number): AuditEntry[] {
      const rows = statement("audit").all(subject, before ?? Number.MAX_SAFE_INTEGER, limit) as unknown as AuditRow[];
      return rows.map(({ at, request_id, ...row }) => ({ ...row, at: new Date(at), requestId: request_id }));
    },

    import: (job: string): ImportRow | undefined => statement("import").get(job) as ImportRow | undefined,
    latestImport: (): ImportRow | undefined => statement("latestImport").get() as ImportRow | undefined,
    rejects(job: string): Reject[] {
      const rows = statement("rejects").all(job) as unknown as (Reject & { record: string })[];
      return rows.map((row) => ({ ...row, record: JSON.parse(row.record) as Json }));
    },

    close(): void {
      db?.close();
    },
  };
}

interface CountryRow {
  readonly code: string;
  readonly cities: number;
  readonly population: number;
  readonly largest: number;
  readonly name: string;
}

interface AuditRow extends Omit<AuditEntry, "at" | "requestId"> {
  readonly at: number;
  readonly request_id: string;
}

const countryNames = new Intl.DisplayNames("en", { type: "region" });

function countryOf({ code, cities, population, largest, name }: CountryRow): Country {
  return { code, name: countryNames.of(code) ?? code, cities, population, largest: { id: largest, name } };
}

function* bands(box: Box): Generator<number> {
  for (let band = Math.floor(box.south * 4); band <= Math.floor(box.north * 4); band++) yield band;
}

function inBox(statement: StatementSync, box: Box): { id: number; lat: number; lon: number }[] {
  return [...bands(box)].flatMap(
    (band) =>
      statement.all(band, box.west, box.east, box.south, box.north) as unknown as {
        id: number;
        lat: number;
        lon: number;
      }[],
  );
}
