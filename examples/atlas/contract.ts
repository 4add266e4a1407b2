/**
 * What the atlas offers, as plain data: every operation, every job, every way they can end. Imports no server code, so that a
 * browser can import it and call the API with `createClient(atlas, { url })`.
 */
import { contract, discard, exponential, fault, job, mutation, query, retryAfter, t, type Infer } from "tensile";

const countryCode = t.describe(t.string({ pattern: /^[A-Z]{2}$/ }), { description: "ISO 3166-1 alpha-2: `PT`." });

/** What GeoNames calls a place. Destroyed, abandoned and historical ones (PPLW, PPLQ, PPLH, …) are no cities of this atlas. */
const feature = t.enum(
  ["PPL", "PPLA", "PPLA2", "PPLA3", "PPLA4", "PPLA5", "PPLC", "PPLF", "PPLG", "PPLL", "PPLR", "PPLS", "PPLX", "STLMT"],
  { name: "Feature" },
);

const cityFields = {
  id: t.int32({ minimum: 1 }),
  name: t.string({ minLength: 1, maxLength: 200 }),
  country: countryCode,
  region: t.nullable(t.string({ minLength: 1, maxLength: 20 })),
  feature,
  population: t.int({ minimum: 0 }),
  lat: t.float({ minimum: -90, maximum: 90 }),
  lon: t.float({ minimum: -180, maximum: 180 }),
};

export const City = t.object("City", cityFields);
export type City = Infer<typeof City>;

export const NearbyCity = t.object("NearbyCity", {
  ...cityFields,
  km: t.describe(t.float({ minimum: 0 }), { description: "To the metre." }),
});
export type NearbyCity = Infer<typeof NearbyCity>;

export const CityPage = t.object("CityPage", {
  cities: t.array(City),
  next: t.describe(t.nullable(t.string()), {
    description: "Pass it as `after` for the next page; null on the last one.",
  }),
});
export type CityPage = Infer<typeof CityPage>;

export const Country = t.object("Country", {
  code: countryCode,
  name: t.string(),
  cities: t.int(),
  population: t.int(),
  largest: t.object("CityName", { id: t.int32(), name: t.string() }),
});
export type Country = Infer<typeof Country>;

const importFields = {
  id: t.string(),
  state: t.enum(["waiting", "scheduled", "ready", "running", "succeeded", "failed", "cancelled"], { name: "JobState" }),
  attempt: t.int32(),
  rows: t.describe(t.int(), { description: "Rows read so far, of `total`." }),
  total: t.int(),
  imported: t.int(),
  rejected: t.int(),
  startedAt: t.nullable(t.timestamp()),
  finishedAt: t.nullable(t.timestamp()),
};

export const Import = t.object("Import", importFields);

const Reject = t.object("Reject", { row: t.int(), reason: t.string(), record: t.json() });
export type Reject = Infer<typeof Reject>;

export const ImportReport = t.object("ImportReport", {
  ...importFields,
  rejects: t.describe(t.array(Reject), {
    description: "The first ten rows that are no cities, and why.",
  }),
});

export const AuditEntry = t.object("AuditEntry", {
  id: t.int(),
  at: t.timestamp(),
  subject: t.string(),
  action: t.string(),
  note: t.string(),
  requestId: t.string(),
});
export type AuditEntry = Infer<typeof AuditEntry>;

export const CityNotFound = fault("CITY_NOT_FOUND", {
  kind: "not_found",
  data: { id: t.int32() },
  message: ({ id }) => `There is no city ${id}.`,
});
export const CountryNotFound = fault("COUNTRY_NOT_FOUND", {
  kind: "not_found",
  data: { code: t.string() },
  message: ({ code }) => `There is no country ${code}.`,
});
export const ImportNotFound = fault("IMPORT_NOT_FOUND", {
  kind: "not_found",
  data: { id: t.string() },
  message: ({ id }) => `There is no import ${id}.`,
});
export const StoreBusy = fault("STORE_BUSY", {
  kind: "unavailable",
  data: { retryAfter: t.duration() },
  message: "The database takes no work just now.",
});
export const SourceBroken = fault("SOURCE_BROKEN", {
  kind: "failed_precondition",
  data: { reason: t.string() },
  message: ({ reason }) => `The data set cannot be read: ${reason}.`,
});

const limit = t.default(t.int32({ minimum: 1, maximum: 100 }), 20);

export const getCity = query("getCity", {
  tags: ["cities"],
  summary: "One city",
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32() },
  output: City,
  faults: [CityNotFound],
});

export const searchCities = query("searchCities", {
  tags: ["cities"],
  summary: "Cities by the beginning of their name, the biggest first",
  description: "Accents and case make no difference: `sao p` finds São Paulo.",
  access: "public",
  http: "GET /cities",
  input: {
    prefix: t.default(t.string({ maxLength: 100 }), ""),
    country: t.optional(countryCode),
    limit,
    after: t.optional(t.string({ pattern: /^\d{1,15}-\d{1,10}$/ })),
  },
  output: CityPage,
});

export const nearbyCities = query("nearbyCities", {
  tags: ["cities"],
  summary: "Cities around a point, the nearest first",
  access: "public",
  http: "GET /cities/nearby",
  input: {
    lat: t.float({ minimum: -90, maximum: 90 }),
    lon: t.float({ minimum: -180, maximum: 180 }),
    km: t.default(t.float({ minimum: 0, maximum: 500 }), 50),
    limit,
  },
  output: t.object("NearbyCities", { cities: t.array(NearbyCity) }),
});

export const listCountries = query("listCountries", {
  tags: ["countries"],
  summary: "Every country, with what its cities add up to",
  access: "public",
  http: "GET /countries",
  input: {},
  output: t.object("Countries", { countries: t.array(Country) }),
});

export const getCountry = query("getCountry", {
  tags: ["countries"],
  summary: "One country",
  access: "public",
  http: "GET /countries/{code}",
  input: { code: countryCode },
  output: Country,
  faults: [CountryNotFound],
});

export const startImport = mutation("startImport", {
  tags: ["imports"],
  summary: "Import the data set again",
  description:
    "The job and its audit entry are committed together. While an import is under way, answers with that one.",
  access: { scopes: ["import"] },
  http: { route: "POST /imports", status: 202 },
  input: { note: t.default(t.string({ maxLength: 500 }), "") },
  output: t.object("ImportStarted", { id: t.string(), alreadyRunning: t.boolean() }),
  faults: [StoreBusy],
});

export const latestImport = query("latestImport", {
  tags: ["imports"],
  summary: "How far the latest import is",
  access: "public",
  http: "GET /imports/latest",
  input: {},
  output: Import,
  faults: [ImportNotFound, StoreBusy],
});

export const getImport = query("getImport", {
  tags: ["imports"],
  summary: "One import: its state, its counts and what it rejected",
  access: { scopes: ["import"] },
  http: "GET /imports/{id}",
  input: { id: t.string({ maxLength: 40 }) },
  output: ImportReport,
  faults: [ImportNotFound, StoreBusy],
});

export const listAudit = query("listAudit", {
  tags: ["imports"],
  summary: "What the holder of this key has done, the latest first",
  access: { scopes: ["import"] },
  http: "GET /audit",
  input: { limit, before: t.optional(t.int({ minimum: 1 })) },
  output: t.object("Audit", { entries: t.array(AuditEntry) }),
});

/** Reads the whole data set. Each batch and its checkpoint are one transaction: whatever ends the process, the next run goes on. */
export const importCities = job("importCities", {
  input: { rows: t.optional(t.int({ minimum: 1 })) },
  output: { imported: t.int(), rejected: t.int() },
  faults: [SourceBroken, StoreBusy],
  unique: () => "the data set",
  timeout: "15m",
  retry: {
    attempts: 20,
    backoff: exponential({ first: "1s", max: "1m" }),
    on: {
      STORE_BUSY: (busy) => retryAfter(busy.data.retryAfter),
      SOURCE_BROKEN: discard,
    },
  },
});

/** Adds the cities up by country. After each import, and every hour on the hour in Lisbon. */
export const refreshCountries = job("refreshCountries", {
  input: {},
  faults: [StoreBusy],
  unique: true,
  schedule: { cron: "0 * * * *", timeZone: "Europe/Lisbon", input: {} },
  retry: { attempts: 5, on: { STORE_BUSY: (busy) => retryAfter(busy.data.retryAfter) } },
});

export const atlas = contract("atlas.v1", {
  getCity,
  searchCities,
  nearbyCities,
  listCountries,
  getCountry,
  startImport,
  latestImport,
  getImport,
  listAudit,
  importCities,
  refreshCountries,
});
