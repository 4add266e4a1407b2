/** A real atlas for tests: real file, real socket, typed client. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "tensile";
import { createClient } from "tensile/client";
import { sqlite } from "tensile/sqlite";
import { atlasApp } from "../app.ts";
import { readCities } from "../cities.ts";
import { atlas, importCities, refreshCountries } from "../contract.ts";
import type { OnProgress } from "../importer.ts";
import { migrations } from "../tables.ts";

export const testKey = "a key for tests";

export interface StartOptions {
  readonly onProgress?: OnProgress;
  /** Milliseconds that a stop waits for running work. */
  readonly drain?: number;
  /** Where the database is, and stays. Default: a folder of its own, which goes with it. */
  readonly folder?: string;
}

export async function startAtlas({ onProgress, drain = 10_000, ...options }: StartOptions = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "atlas-"));
  const store = sqlite(join(folder, "atlas.db"), { migrations });
  const cities = readCities(() => store.reader());
  const app = atlasApp({ store, cities, key: testKey, ...(onProgress && { onProgress }) });
  const server = await serve(app, { port: 0, store, drain, signals: [] });
  return {
    server,
    url: server.url,
    store,
    cities,
    client: createClient(atlas, { url: server.url }),
    keyHolder: createClient(atlas, { url: server.url, auth: testKey }),
    /** Imports the first `rows` rows and adds up the countries. */
    async import(rows: number) {
      const job = await server.jobs.enqueue(importCities, { rows });
      const imported = job.ok ? await job.value.result() : job;
      // Joins the one that the import has enqueued, or runs it once more.
      const refresh = await server.jobs.enqueue(refreshCountries, {});
      if (refresh.ok) void (await refresh.value.result());
      return imported;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      cities.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true });
    },
  };
}
