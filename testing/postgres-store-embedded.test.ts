/** The PostgreSQL store against the conformance suite, on the server out of npm. */
import { storeConformance } from "../src/testing/index.ts";
import { postgresPlace } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

if (postgresKinds().includes("embedded")) storeConformance("PostgreSQL (embedded)", () => postgresPlace("embedded"));
