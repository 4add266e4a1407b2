/**
 * The atlas's own tables, in the file that holds the jobs too, so that a row and a job can be one transaction. Only ever add to the
 * end: `sqlite` remembers which it has applied.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE city (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    country TEXT NOT NULL,
    region TEXT,
    feature TEXT NOT NULL,
    population INTEGER NOT NULL,
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    -- A quarter of a degree of latitude. What lies in a box is one range of the index below for each band that the box touches.
    band INTEGER NOT NULL AS (CAST(floor(lat * 4) AS INTEGER)) VIRTUAL
  ) STRICT;
  CREATE INDEX city_by_place ON city (band, lon, lat);
  -- Each ends with what the answer is sorted by, so that a search reads the index alone until it knows its page.
  CREATE INDEX city_by_name ON city (folded, country, population);
  CREATE INDEX city_by_country ON city (country, population DESC, id);
  CREATE INDEX city_by_population ON city (population DESC, id);

  CREATE TABLE country (
    code TEXT PRIMARY KEY,
    cities INTEGER NOT NULL,
    population INTEGER NOT NULL,
    largest INTEGER NOT NULL,
    largest_population INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- One row per import: its checkpoint. "offset", lat and lon are the position in the source.
  CREATE TABLE import (
    job TEXT PRIMARY KEY,
    "offset" INTEGER NOT NULL,
    lat INTEGER NOT NULL,
    lon INTEGER NOT NULL,
    "rows" INTEGER NOT NULL,
    total INTEGER NOT NULL,
    imported INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX import_by_start ON import (started_at);

  CREATE TABLE reject (
    job TEXT NOT NULL,
    "row" INTEGER NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (job, "row")
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    action TEXT NOT NULL,
    note TEXT NOT NULL,
    request_id TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_subject ON audit (subject, id);
  `,
];
