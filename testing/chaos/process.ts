/** One process of the chaos: serves the app on the store, and writes its ledger. Says its port when it is open. */
import { serve } from "../../src/index.ts";
import { postgres } from "../../src/postgres/index.ts";
import { sqlite } from "../../src/sqlite/index.ts";
import { chaosApp } from "./app.ts";
import { ledgerFile, ledgerStore } from "./ledger-store.ts";

const [kind, place, worker, ledger] = process.argv.slice(2);
if (place === undefined || worker === undefined || ledger === undefined)
  throw new TypeError("usage: process.ts sqlite|postgres PLACE NAME LEDGER");

const store = kind === "postgres" ? postgres(place) : sqlite(place);
const server = await serve(chaosApp, { port: 0, store: ledgerStore(store, worker, ledgerFile(ledger)) });
console.log(`port ${server.port}`);
