/**
 * `npm start`: the atlas on one port, with its workers, in this process.
 *
 * PORT (3000, 0 for any free one), ATLAS_DB (a file), ATLAS_API_KEY (who may import), ATLAS_ROWS (import only so many rows).
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { attempt, serve, type Server } from "tensile";
import { sqlite } from "tensile/sqlite";
import { atlasApp } from "./app.ts";
import { readCities, type Cities } from "./cities.ts";
import { progressReport } from "./console/progress.ts";
import { welcome } from "./console/welcome.ts";
import { importCities } from "./contract.ts";
import { migrations } from "./tables.ts";

const { env } = process;

try {
  await main();
} catch (error) {
  console.error(`atlas: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const port = wholeNumber("PORT", 0, 65_535) ?? 3000;
  const rows = wholeNumber("ATLAS_ROWS", 1, Number.MAX_SAFE_INTEGER);
  const file = env["ATLAS_DB"] ?? join(import.meta.dirname, ".atlas", "atlas.db");
  const ownKey = env["ATLAS_API_KEY"] || undefined;
  const key = ownKey ?? randomBytes(12).toString("hex");
  const made = attempt(() => mkdirSync(dirname(file), { recursive: true }));
  if (!made.ok) throw new Error(`The folder of the database cannot be made: ${String(made.fault)}`);

  const store = sqlite(file, { migrations });
  const cities = readCities(() => store.reader());
  const app = atlasApp({ store, cities, key, onProgress: progressReport(process.stdout) });
  const server = await serve(app, { port, store });

  const shownKey = ownKey === undefined ? key : "$ATLAS_API_KEY";
  console.log(welcome({ url: server.url, database: relative("", file), key: shownKey, madeUp: ownKey === undefined }));
  sayWhenStopping(server);
  try {
    await importOnce(server, cities, rows);
  } catch (error) {
    await server.stop();
    throw error;
  }

  const { outcome, elapsedMs } = await server.stopped;
  cities.close();
  const end = outcome === "drained" ? "all running work was finished" : "what was cut short goes on at the next start";
  console.log(`Stopped in ${(elapsedMs / 1000).toFixed(1)} s: ${end}.`);
}

/** At the first start, and after one whose import did not end. One that still waits or runs is not doubled: it is `unique`. */
async function importOnce(server: Server, cities: Cities, rows: number | undefined): Promise<void> {
  if (cities.latestImport()?.finished_at) return;
  const started = await server.jobs.enqueue(importCities, rows === undefined ? {} : { rows });
  if (!started.ok) console.error(`atlas: the import did not start: ${started.fault.message}`);
}

function sayWhenStopping(server: Server): void {
  server.events.on("lifecycle", ({ phase }) => {
    if (phase === "draining") void say();
  });

  async function say(): Promise<void> {
    const jobs = await server.jobs.counts();
    const running = jobs.ok ? jobs.value.running : 0;
    const waiting = running === 0 ? "" : `: waiting for ${running} running job${running === 1 ? "" : "s"}`;
    console.log(`\nStopping${waiting}. Ctrl-C again ends it now.`);
  }
}

function wholeNumber(name: string, least: number, most: number): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} is a whole number from ${least} to ${most}, not "${text}".`);
}
