/**
 * The atlas's contract carried out: one handler for each operation and job. A handler returns the value or a declared fault.
 */
import { err, implement, mapErr, ok, type Jobs } from "tensile";
import type { SqliteStore } from "tensile/sqlite";
import { apiKey } from "./api-key.ts";
import type { Cities } from "./cities.ts";
import { atlas, CityNotFound, CountryNotFound, importCities, ImportNotFound } from "./contract.ts";
import { runImport, type OnProgress } from "./importer.ts";
import { busy, save, type Receipt } from "./store.ts";

export interface AtlasOptions {
  readonly store: SqliteStore;
  readonly cities: Cities;
  /** Lets its holder import. */
  readonly key: string;
  readonly onProgress?: OnProgress;
}

export function atlasApp({ store, cities, key, onProgress = () => {} }: AtlasOptions) {
  return implement(atlas, {
    authenticate: apiKey(key),
    context: { cities, store, onProgress },
    handlers: {
      getCity: ({ input, cities }) => cities.city(input.id) ?? CityNotFound({ id: input.id }),

      searchCities: ({ input, cities }) => cities.search(input),

      nearbyCities: ({ input, cities }) => ({ cities: cities.nearby(input.lat, input.lon, input.km, input.limit) }),

      listCountries: ({ cities }) => ({ countries: cities.countries() }),

      getCountry: ({ input, cities }) => cities.country(input.code) ?? CountryNotFound({ code: input.code }),

      startImport: async function* ({ input, auth, requestId, jobs, store }) {
        const job = yield* await jobs.prepare(importCities, {});
        const saved = yield* await save(store, (tx) => {
          tx.run(insertAudit, [Date.now(), auth.subject, "import", input.note, requestId]);
          tx.enqueue(job.record);
        });
        const [{ id, duplicate }] = saved.jobs as [Receipt];
        return { id, alreadyRunning: duplicate };
      },

      latestImport: ({ cities, jobs }) => {
        const latest = cities.latestImport();
        return latest ? importOf(latest.job, cities, jobs) : ImportNotFound({ id: "latest" });
      },

      getImport: async function* ({ input, cities, jobs }) {
        const found = yield* await importOf(input.id, cities, jobs);
        return { ...found, rejects: cities.rejects(input.id) };
      },

      listAudit: ({ input, auth, cities }) => ({ entries: cities.audit(auth.subject, input.before, input.limit) }),

      importCities: runImport,

      refreshCountries: async function* ({ store }) {
        yield* await save(store, (tx) => tx.run(addUpCountries));
      },
    },
  });
}

const insertAudit = "INSERT INTO audit (at, subject, action, note, request_id) VALUES (?, ?, ?, ?, ?)";

/** SQLite takes `id` from the row that `max` found. */
const addUpCountries = `
  INSERT OR REPLACE INTO country (code, cities, population, largest, largest_population)
  SELECT country, count(*), sum(population), id, max(population) FROM city GROUP BY country`;

/** The job as the store knows it, and the counts of its last checkpoint. */
async function importOf(id: string, cities: Cities, jobs: Jobs) {
  const found = mapErr(await jobs.get(id), busy);
  if (!found.ok) return found;
  const job = found.value;
  if (job?.name !== importCities.name) return err(ImportNotFound({ id }));
  const checkpoint = cities.import(id);
  return ok({
    id,
    state: job.state,
    attempt: job.attempt,
    rows: checkpoint?.rows ?? 0,
    total: checkpoint?.total ?? 0,
    imported: checkpoint?.imported ?? 0,
    rejected: checkpoint?.rejected ?? 0,
    startedAt: checkpoint ? new Date(checkpoint.started_at) : null,
    finishedAt: job.finishedAt ?? null,
  });
}
