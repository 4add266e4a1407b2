/**
 * What the compiler says to somebody who gets a subscription wrong.
 */
import { err, ok, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { contract, event, fault, implementContract, subscription } from "./index.ts";

const Change = t.object("Change", { id: t.int32(), name: t.string() });
const CountryGone = fault("COUNTRY_GONE", { kind: "gone" });
const Secret = fault("SECRET", { kind: "internal" });
const changes = subscription("changes", {
  access: "public",
  input: { country: t.string() },
  output: Change,
  faults: [CountryGone],
  resume: true,
});
const live = contract("live.v1", { changes });

// A missing handler is named.
implementContract(live, {
  // THROWS TS2741 Property 'changes' is missing
  handlers: {},
});

// A wrong item: the message names the field.
implementContract(live, {
  handlers: {
    // THROWS TS2322 Type 'string' is not assignable to type 'number'
    changes: async function* () {
      yield { id: "7", name: "Porto" };
    },
  },
});

// A wrong item with an id.
implementContract(live, {
  handlers: {
    // THROWS TS2322 Property 'name' is missing
    changes: async function* () {
      yield event({ id: 7 }, { id: "1" });
    },
  },
});

// An undeclared fault at the end.
implementContract(live, {
  handlers: {
    // THROWS TS2322 'Fault<"SECRET"
    changes: async function* () {
      yield { id: 7, name: "Porto" };
      return Secret();
    },
  },
});

// An early return with an undeclared fault.
implementContract(live, {
  handlers: {
    // THROWS TS2322 'Fault<"SECRET"
    changes: async function* () {
      yield* err(Secret());
    },
  },
});

// A value in place of a stream.
implementContract(live, {
  handlers: {
    // THROWS TS2322
    changes: () => ({ id: 7, name: "Porto" }),
  },
});

// An input that is not there.
implementContract(live, {
  handlers: {
    changes: async function* ({ input }) {
      // THROWS TS2339 Property 'region' does not exist on type
      yield { id: 1, name: input.region };
    },
  },
});

// All of this is right.
declare const known: Result<string, ReturnType<typeof CountryGone>>;
declare const feed: AsyncIterable<{ id: number; name: string }>;
implementContract(live, {
  handlers: {
    changes: async function* ({ input, lastEventId, signal }) {
      const name = yield* known;
      if (signal.aborted) return;
      yield { id: input.country.length, name };
      yield event({ id: 1, name: lastEventId ?? "" }, { id: "1" });
      if (name === "") return err(CountryGone());
      return CountryGone();
    },
  },
});
implementContract(live, { handlers: { changes: () => feed } });
implementContract(live, { handlers: { changes: async () => (known.ok ? feed : known) } });
implementContract(live, { handlers: { changes: async () => ok(feed) } });
implementContract(live, { handlers: { changes: () => CountryGone() } });
