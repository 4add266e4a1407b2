/** One process of the chaos: serves the app on the store, and writes its ledger. Says its port when it is open. */
import { serve } from "../../src/index.ts";
import { postgres } from "../../src/postgres/index.ts";
import { sqlite } from "../../src/sqlite/index.ts";
import { chaosApp } from "./app.ts";
import { ledgerFile, ledgerStore } from "./ledger-store.ts";

const [kind, place, lease, worker, ledger] = process.argv.slice(2);
if (place === undefined || worker === undefined || ledger === undefined)
  throw new TypeError("usage: process.ts sqlite|postgres PLACE LEASE_MS NAME LEDGER");

const write = ledgerFile(ledger);
const leaseMs = Number(lease);
const app = chaosApp({
  step: (id, name) => write({ kind: "step", worker, id, name }),
  heard: (id, name, value) => write({ kind: "heard", worker, id, name, value }),
});
const store = kind === "postgres" ? postgres(place, { leaseMs }) : sqlite(place, { shared: true, leaseMs });
const server = await serve(app, { port: 0, store: ledgerStore(store, worker, write, kind === "postgres") });
console.log(`port ${server.port}`);
