import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { atlas, type City } from "./contract.ts";
import { startExample } from "../testing/example-process.ts";
import { packageCities } from "./testing/package-cities.ts";

const folder = mkdtempSync(join(tmpdir(), "atlas-process-"));
after(() => rmSync(folder, { recursive: true }));

const startAtlas = (env: { readonly [name: string]: string }) =>
  startExample(join(import.meta.dirname, "main.ts"), env);

const columns = "id, name, country, region, feature, population, lat, lon";

function read<T>(file: string, sql: string): T[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare(sql).all() as T[];
  } finally {
    db.close();
  }
}

interface Checkpoint {
  readonly rows: number;
  readonly imported: number;
  readonly rejected: number;
  readonly finished_at: number | null;
}

/** The checkpoint, after having been held against the rows that are there. */
function checkpointOf(file: string): Checkpoint {
  const [checkpoint, ...others] = read<Checkpoint>(file, "SELECT * FROM import");
  assert.ok(checkpoint !== undefined && others.length === 0);
  const [counted] = read(
    file,
    "SELECT (SELECT count(*) FROM city) AS imported, (SELECT count(*) FROM reject) AS rejected",
  );
  assert.deepEqual({ ...(counted as object) }, { imported: checkpoint.imported, rejected: checkpoint.rejected });
  assert.equal(checkpoint.imported + checkpoint.rejected, checkpoint.rows);
  return checkpoint;
}

function checksum(cities: readonly City[]): string {
  const sorted = cities.toSorted((a, b) => a.id - b.id);
  const hash = createHash("sha256");
  for (const { id, name, country, region, feature, population, lat, lon } of sorted) {
    hash.update(JSON.stringify([id, name, country, region, feature, population, lat, lon]));
  }
  return hash.digest("hex");
}

test("killed twice in mid-import, it goes on where it was, and every row arrives exactly once", async () => {
  const file = join(folder, "killed.db");
  const all = packageCities();
  let last = 0;
  for (const percent of [20, 60]) {
    await using running = startAtlas({ ATLAS_DB: file });
    if (last > 0) await running.until(new RegExp(`goes on after row ${last.toLocaleString("en")} of 135,233`));
    await running.until(new RegExp(`Importing: ${percent} %`));
    running.signal("SIGKILL");
    assert.equal((await running.exited).signal, "SIGKILL");

    const { rows, finished_at } = checkpointOf(file);
    assert.ok(rows > last && rows < all.length && finished_at === null);
    last = rows;
  }

  await using running = startAtlas({ ATLAS_DB: file });
  await running.until(
    /Imported 135,194 cities in [\d.]+ s \([\d,]+\/s\)\. 39 rows were no cities: GET \/imports\/1 says why\.\n/,
  );
  running.signal("SIGINT");
  assert.equal((await running.exited).code, 0);

  checkpointOf(file);
  const cities = read<City>(file, `SELECT ${columns} FROM city`);
  assert.equal(checksum(cities), checksum(all.filter(({ living }) => living).map(({ city }) => city)));
  const rejected = read<{ row: number; record: string }>(file, `SELECT "row", record FROM reject ORDER BY "row"`);
  const dead = all.flatMap(({ living, city }, index) => (living ? [] : [{ row: index + 1, city }]));
  assert.deepEqual(
    rejected.map(({ row, record }) => ({ row, city: JSON.parse(record) as City })),
    dead,
  );
});

test("Ctrl-C in mid-import ends it in good order, and nothing is lost", async () => {
  const file = join(folder, "interrupted.db");
  const env = { ATLAS_DB: file, ATLAS_ROWS: "20000" };
  {
    await using running = startAtlas(env);
    await running.until(/Importing: \d+ %/);
    running.signal("SIGINT");
    const { code, stdout, stderr } = await running.exited;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /Stopping: waiting for 1 running job\. Ctrl-C again ends it now\.\n/);
    assert.match(stdout, /Stopped in [\d.]+ s: all running work was finished\.\n$/);
  }
  assert.equal(checkpointOf(file).rows, 20_000);

  await using again = startAtlas(env);
  await again.until(/Ctrl-C stops/);
  again.signal("SIGTERM");
  const { code, stdout } = await again.exited;
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /Import(ing|ed)|goes on/, "what is imported is not imported again");
});

test("a second Ctrl-C ends it at once, and the next start goes on", async () => {
  const file = join(folder, "twice.db");
  {
    await using running = startAtlas({ ATLAS_DB: file });
    await running.until(/Importing: \d+ %/);
    running.signal("SIGINT");
    await running.until(/Stopping/);
    running.signal("SIGINT");
    assert.equal((await running.exited).code, 130);
  }
  const { rows } = checkpointOf(file);
  await using again = startAtlas({ ATLAS_DB: file });
  await again.until(new RegExp(`goes on after row ${rows.toLocaleString("en")} of`));
});

test("a key that was chosen is not printed, and an empty one is none", async () => {
  await using chosen = startAtlas({ ATLAS_DB: join(folder, "key.db"), ATLAS_ROWS: "1", ATLAS_API_KEY: "chosen-by-me" });
  const url = (await chosen.until(/API +(http\S+)[^]*Bearer \$ATLAS_API_KEY/))[1] ?? "";
  assert.doesNotMatch(chosen.out.stdout, /chosen-by-me/);
  assert.equal((await fetch(`${url}/audit`, { headers: { authorization: "Bearer chosen-by-me" } })).status, 200);

  await using empty = startAtlas({ ATLAS_DB: join(folder, "no-key.db"), ATLAS_ROWS: "1", ATLAS_API_KEY: "" });
  await empty.until(/Key +[0-9a-f]{24} /);
});

test("every line that it says to try works, and together they are every route", async () => {
  await using running = startAtlas({ ATLAS_DB: join(folder, "tried.db") });
  await running.until(/Imported/);
  const url = (await running.until(/API +(http\S+)/))[1] ?? "";
  // Countries are added up by a job of their own, right after the import.
  while (!(await fetch(`${url}/countries/PT`)).ok);
  const lines = running.out.stdout.match(/^ {2}curl .*$/gm) ?? [];
  const answers: { method: string; path: string; body: unknown }[] = [];
  for (const line of lines) {
    const { method, path, request } = parseCurl(line);
    const body = await answered(url + path, request);
    answers.push({ method, path: path.replace(/\?.*/, ""), body });
  }
  for (const { name, options } of atlas.operations) {
    const route = typeof options.http === "string" ? options.http : options.http?.route;
    const [method, template = ""] = (route ?? "").split(" ");
    const path = new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`);
    assert.ok(
      answers.some((answer) => answer.method === method && path.test(answer.path)),
      `no line tries ${name}`,
    );
  }
  const empty = answers.filter(({ body }) => JSON.stringify(body) === "{}");
  assert.deepEqual(empty, []);

  for (const path of ["/docs", "/openapi.json"]) assert.equal((await fetch(url + path)).status, 200, path);
});

function parseCurl(line: string): { method: string; path: string; request: RequestInit } {
  const method = /-X (\w+)/.exec(line)?.[1] ?? "GET";
  const target = /'(http[^']*)'/.exec(line)?.[1] ?? "";
  const { pathname, search } = new URL(target);
  const headers = Object.fromEntries(
    [...line.matchAll(/-H ['"]([^:]+): ([^'"]+)['"]/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const body = /-d '([^']*)'/.exec(line)?.[1];
  return { method, path: pathname + search, request: { method, headers, ...(body !== undefined && { body }) } };
}

async function answered(url: string, request: RequestInit): Promise<unknown> {
  const response = await fetch(url, request);
  const body = await response.text();
  assert.ok(response.ok, `${url}: ${response.status} ${body}`);
  return JSON.parse(body);
}

test("what keeps it from starting is said in one sentence, with exit code 1", async () => {
  const taken = createServer().listen(0, "127.0.0.1").unref();
  await new Promise((resolve) => taken.once("listening", resolve));
  const port = String((taken.address() as AddressInfo).port);
  const noFolder = join(folder, "a-file");
  writeFileSync(noFolder, "");
  await using owner = startAtlas({ ATLAS_DB: join(folder, "owned.db"), ATLAS_ROWS: "1" });
  await owner.until(/Ctrl-C stops/);

  const cases: [{ [name: string]: string }, RegExp][] = [
    [{ PORT: port, ATLAS_DB: join(folder, "port.db") }, new RegExp(`port ${port}: the port is in use`)],
    [{ PORT: "http" }, /PORT is a whole number from 0 to 65535, not "http"/],
    [{ ATLAS_DB: join(noFolder, "atlas.db") }, /a-file/],
    [{ ATLAS_DB: join(folder, "owned.db") }, /owned by process \d+/],
  ];
  for (const [env, sentence] of cases) {
    await using refused = startAtlas({ ATLAS_ROWS: "1", ATLAS_DB: join(folder, "refused.db"), ...env });
    const { code, stdout, stderr } = await refused.exited;
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^atlas: [^\n]+\n$/);
    assert.match(stderr, sentence);
  }
  taken.close();
});
