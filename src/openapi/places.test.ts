/** A contract with everything that OpenAPI must be able to say, and its implementation: what the other tests here stand on. */
import * as z from "zod";
import { contract, fault, implementContract, mutation, query, type Implemented } from "../contract/index.ts";
import { t, type Schema } from "../schema/index.ts";

const Kind = t.enum(["town", "city"], { name: "CityKind" });
const City = t.describe(
  t.object("City", {
    id: t.int32(),
    name: t.describe(t.string({ maxLength: 200 }), { description: "As its people write it.", examples: ["Zürich"] }),
    kind: t.default(Kind, "city"),
    population: t.int64(),
    founded: t.optional(t.timestamp()),
    mayor: t.nullable(t.string()),
  }),
  { description: "A place with people." },
);
interface Region {
  name: string;
  parts: Region[];
}
const Region = t.object("Region", { name: t.string(), parts: t.array(t.ref((): Schema<Region> => Region)) });
const Shape = t.tagged("Shape", "type", {
  circle: { radius: t.float({ minimum: 0 }) },
  box: { at: t.tuple([t.float(), t.float()]) },
});

const CityNotFound = fault("CITY_NOT_FOUND", {
  kind: "not_found",
  data: { id: t.int32() },
  description: "No city has this id.",
});
const RegionNotFound = fault("REGION_NOT_FOUND", { kind: "not_found" });
const SourceBusy = fault("SOURCE_BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const Limited = fault("LIMITED", { kind: "resource_exhausted", description: "Too many calls." });

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  tags: ["Cities"],
  description: "The city with this **id**, in the language asked for.",
  input: { id: t.int32(), region: t.optional(t.string()), lang: t.default(t.enum(["de", "en"]), "en") },
  output: City,
  faults: [CityNotFound, RegionNotFound, SourceBusy],
});
const findCities = query("findCities", {
  access: "public",
  http: { route: "GET /cities", headers: { trace: "x-trace" } },
  tags: ["Cities"],
  summary: "Search by name and kind",
  input: {
    name: t.describe(t.string({ minLength: 1 }), { description: "The beginning of a name." }),
    kind: t.array(Kind),
    trace: t.optional(t.string()),
    limit: t.default(t.int32({ minimum: 1, maximum: 100 }), 20),
  },
  output: { cities: t.array(City), shape: t.optional(Shape), regions: t.map(Region) },
});
const replaceCity = mutation("replaceCity", {
  access: { scopes: ["cities:write"] },
  http: { route: "PUT /cities/{key}", query: ["dry"] },
  tags: ["Cities"],
  input: {
    key: t.int32(),
    dry: t.default(t.boolean(), false),
    name: t.string(),
    kind: t.default(Kind, "town"),
    region: t.optional(Region),
  },
  output: City,
  faults: [CityNotFound],
});
const removeCity = mutation("removeCity", {
  access: ({ auth }) => auth.subject === "root",
  http: "DELETE /cities/{id}",
  tags: ["Cities"],
  deprecated: true,
  input: { id: t.int32() },
  output: t.nothing(),
});
const readFile = query("readFile", {
  access: "authenticated",
  http: "GET /files/{*path}",
  tags: ["Files"],
  input: { path: t.string() },
  output: { text: t.string(), bytes: t.bytes({ maxLength: 100 }) },
});
const measure = mutation("measure", {
  access: "public",
  http: "POST /measure",
  input: z.object({ width: z.number().min(0), unit: z.enum(["m", "km"]).default("m") }).strict(),
  output: z.object({ metres: z.number() }),
});
const convert = query("convert", {
  access: "public",
  http: "GET /convert/{unit}",
  input: z.object({ unit: z.enum(["m", "km"]), width: z.number(), exact: z.boolean().optional() }),
  output: { metres: t.float() },
});
const ping = mutation("ping", { access: "public", input: {}, output: {} });

export const places = contract(
  "places.v2",
  { getCity, findCities, replaceCity, removeCity, readFile, measure, convert, ping },
  { faults: [Limited] },
);

const bern = { id: 1, name: "Bern", population: 134_591n, founded: new Date("1191-01-01T00:00:00Z"), mayor: null };

export const implemented: Implemented = implementContract(places, {
  authenticate: (request) => {
    const token = request.header("authorization");
    return token === undefined ? undefined : { subject: token.slice(7), scopes: ["cities:write"] };
  },
  handlers: {
    getCity: ({ input }) =>
      input.id === 1 ? bern : input.id === 2 ? SourceBusy({ retryAfter: 1500 }) : CityNotFound({ id: input.id }),
    findCities: ({ input }) => ({
      cities: Array.from({ length: Math.min(input.limit, 2) }, () => bern),
      regions: { a: { name: "a", parts: [] } },
    }),
    replaceCity: ({ input }) => ({ ...bern, id: input.key, name: input.name, kind: input.kind }),
    removeCity: () => undefined,
    readFile: ({ input }) => ({ text: input.path, bytes: new Uint8Array([1, 2, 3]) }),
    measure: ({ input }) => ({ metres: input.width * (input.unit === "km" ? 1000 : 1) }),
    convert: ({ input }) => ({ metres: input.width * (input.unit === "km" ? 1000 : 1) }),
    ping: () => ({}),
  },
});
