/**
 * What the compiler says to somebody who gets the public face wrong. Each message must point at the mistake and name it.
 */
import { err, match, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { contract, discard, fault, implementContract, job, middleware, mutation, query } from "./index.ts";

const City = t.object("City", { id: t.int32(), name: t.string() });
const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
const SourceBusy = fault("SOURCE_BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const getCity = query("getCity", {
  access: "public",
  input: { id: t.int32() },
  output: City,
  faults: [CityNotFound],
});
const rename = mutation("rename", { access: "authenticated", input: City, output: City });
const importCities = job("importCities", {
  input: { source: t.string() },
  output: { imported: t.int() },
  faults: [SourceBusy],
});
const atlas = contract("atlas.v1", { getCity, rename, importCities });

// A missing handler is named.
implementContract(atlas, {
  // THROWS TS2741 Property 'importCities' is missing
  handlers: {
    getCity: ({ input }) => CityNotFound({ id: input.id }),
    rename: ({ input }) => input,
  },
});

implementContract(atlas, {
  handlers: {
    // An undeclared fault: the message names it, and stands at the handler.
    // THROWS TS2322 'Fault<"SOURCE_BUSY"
    getCity: () => SourceBusy({ retryAfter: 5 }),
    // A wrong output: the message names the field.
    // THROWS TS2322 Property 'name' is missing
    rename: ({ input }) => ({ id: input.id }),
    // A wrong type in an output.
    // THROWS TS2322 Type 'string' is not assignable to type 'number'
    importCities: async () => ({ imported: "7" }),
  },
});

// An early return with an undeclared fault.
implementContract(contract("early.v1", { getCity }), {
  handlers: {
    // THROWS TS2322 'Fault<"SOURCE_BUSY"
    getCity: function* ({ input }) {
      yield* err(SourceBusy({ retryAfter: 5 }));
      return { id: input.id, name: "" };
    },
  },
});

// An input that is not there.
implementContract(contract("input.v1", { getCity }), {
  handlers: {
    // THROWS TS2339 Property 'name' does not exist on type
    getCity: ({ input }) => ({ id: input.id, name: input.name }),
  },
});

// An operation without an access policy.
// THROWS TS2741 Property 'access' is missing
query("open", { input: {}, output: City });

// An access predicate that asks for what the input does not have.
query("own", {
  // THROWS TS2339 Property 'owner' does not exist on type
  access: ({ auth, input }) => auth.subject === input.owner,
  input: { id: t.int32() },
  output: City,
});

// A retry rule for a fault that the job cannot end with.
job("poll", {
  input: {},
  faults: [SourceBusy],
  // THROWS TS2353 'CITY_NOT_FOUND' does not exist in type
  retry: { on: { CITY_NOT_FOUND: discard } },
});

// A kind that is not in the table.
// THROWS TS2322 Type '"teapot"' is not assignable to type
fault("TEAPOT", { kind: "teapot" });

// Fault data that does not fit.
// THROWS TS2322 Type 'string' is not assignable to type 'number'
CityNotFound({ id: "7" });

// A match that forgets a case names its code.
declare const found: Result<{ name: string }, ReturnType<typeof CityNotFound> | Fault<"TIMEOUT", Record<never, never>>>;
// THROWS TS2345 Property 'TIMEOUT' is missing
match(found, { ok: (city) => city.name, CITY_NOT_FOUND: (failure) => `no city ${failure.data.id}` });

// An admit that answers with a fault which the middleware does not list.
// THROWS TS2769 Type 'Fault<"SOURCE_BUSY"
middleware({ faults: [CityNotFound], admit: () => SourceBusy({ retryAfter: 5 }) });
