/** What the compiler says to somebody who asks a limit before authentication for what is known after it. */
import { rateLimit } from "./index.ts";

// THROWS TS2345 Type '"caller"' is not assignable to type '"client"'
rateLimit({ before: "authentication", by: "caller", limit: 10 });

rateLimit({
  before: "authentication",
  limit: 10,
  // THROWS TS2353 'perOperation' does not exist
  perOperation: true,
});

// Only what comes before authentication sees what was answered.
// THROWS TS2322 is not assignable to type
rateLimit({ limit: 10, charge: "failures" });
