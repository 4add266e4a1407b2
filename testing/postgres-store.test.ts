/** The PostgreSQL store against the conformance suite, on every server that is here. */
import { storeConformance } from "../src/testing/index.ts";
import { postgresPlace } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

for (const kind of postgresKinds()) storeConformance(`PostgreSQL (${kind})`, () => postgresPlace(kind));
