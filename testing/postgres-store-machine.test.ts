/** The PostgreSQL store against the conformance suite, on the machine's own server. The embedded one has a file of its own, so that both run at once. */
import { storeConformance } from "../src/testing/index.ts";
import { postgresPlace } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

if (postgresKinds().includes("machine")) storeConformance("PostgreSQL (machine)", () => postgresPlace("machine"));
