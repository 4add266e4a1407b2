/**
 * The statements of an import. What comes is laid in temporary tables first, which keeps nobody from anything; at the end it goes to its place in a few
 * statements over all of it. Errors (kind 0), notes (1) and what a job waited for (2) are `part`s of their jobs.
 */
export const makeMoveTables = [
  `CREATE TEMPORARY TABLE tensile_moved (
    id bigint PRIMARY KEY, name text NOT NULL, state smallint NOT NULL, priority smallint NOT NULL, attempt int NOT NULL, enqueued_at bigint NOT NULL,
    due bigint, finished_at bigint, unique_window bigint, unique_until smallint, dep_mode smallint, noted boolean NOT NULL,
    key bytea, tenant bytea, unique_scope bytea, unique_key bytea, signal bytea, progress bytea, context bytea, payload bytea NOT NULL, result bytea
  ) ON COMMIT DROP`,
  `CREATE TEMPORARY TABLE tensile_part (job bigint NOT NULL, kind smallint NOT NULL, ord int NOT NULL, on_job bigint, outcome smallint, name bytea, value bytea)
    ON COMMIT DROP`,
] as const;

const bytesOf = (field: string): string => `substring($1::bytea FROM u.${field} + 1 FOR u.${field}_len)`;

const numberTypes = [
  "bigint",
  "smallint",
  "smallint",
  "int",
  "bigint",
  "bigint",
  "bigint",
  "bigint",
  "smallint",
  "smallint",
];
export const movedFields = [
  ...["name", "key", "tenant", "unique_scope", "unique_key", "signal", "progress", "context", "payload", "result"],
] as const;
const numberColumns =
  "id, state, priority, attempt, enqueued_at, due, finished_at, unique_window, unique_until, dep_mode";

const fieldParameters = (from: number, fields: readonly string[]): string =>
  fields.map((_, index) => `$${from + 2 * index}::int[], $${from + 2 * index + 1}::int[]`).join(", ");
const fieldColumns = (fields: readonly string[]): string => fields.map((field) => `${field}, ${field}_len`).join(", ");

/** $1 the blob, then the numbers, whether there are notes, and each text's starts and lengths. */
export const layJobs = `INSERT INTO tensile_moved (${numberColumns}, noted, ${movedFields.join(", ")})
SELECT ${numberColumns}, noted, convert_from(${bytesOf("name")}, 'UTF8'), ${movedFields.slice(1).map(bytesOf).join(", ")}
FROM unnest(${numberTypes.map((type, index) => `$${index + 2}::${type}[]`).join(", ")}, $12::boolean[], ${fieldParameters(13, movedFields)})
  AS u(${numberColumns}, noted, ${fieldColumns(movedFields)})`;

export const layParts = `INSERT INTO tensile_part (job, kind, ord, on_job, outcome, name, value)
SELECT job, kind, ord, on_job, outcome, ${bytesOf("name")}, ${bytesOf("value")}
FROM unnest($2::bigint[], $3::smallint[], $4::int[], $5::bigint[], $6::smallint[], ${fieldParameters(7, ["name", "value"])})
  AS u(job, kind, ord, on_job, outcome, ${fieldColumns(["name", "value"])})`;

/** An id that is another job's, while nobody takes new ones. */
export const takenId = `SELECT m.id FROM tensile_moved m WHERE EXISTS (SELECT 1 FROM tensile.job j WHERE j.id = m.id)
  OR EXISTS (SELECT 1 FROM tensile.history h WHERE h.id = m.id)
  OR EXISTS (SELECT 1 FROM tensile.block b WHERE b.seq = m.id / 512 * 512 AND m.id % 512 < b.n) ORDER BY m.id LIMIT 1`;

/** Whoever enqueues took its ids before this, and has committed; or waits until the import is over. */
export const stopIds = "ALTER SEQUENCE tensile.job_id INCREMENT BY 512";

export const indexParts = "CREATE INDEX ON tensile_part (kind, job)";

export const layNames = [
  "INSERT INTO tensile.name (name) SELECT DISTINCT name FROM tensile_moved ORDER BY name ON CONFLICT DO NOTHING",
  "UPDATE tensile.name n SET fair = true WHERE NOT n.fair AND EXISTS (SELECT 1 FROM tensile_moved m WHERE m.name = n.name AND m.tenant IS NOT NULL)",
] as const;

const holds = "m.unique_key IS NOT NULL AND m.state < 10 AND m.unique_until IS DISTINCT FROM 2";

export const takeUniqueKeys = [
  `DELETE FROM tensile.unique_key q USING tensile_moved m WHERE q.scope = m.unique_scope AND q.key = m.unique_key AND q.free_at <= tensile.now()`,
  `INSERT INTO tensile.unique_key (scope, key, job) SELECT unique_scope, unique_key, id FROM tensile_moved m WHERE ${holds} ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`,
  // Of jobs that need their keys no longer, but for their windows.
  `INSERT INTO tensile.unique_key (scope, key, job, free_at) SELECT unique_scope, unique_key, id, unique_window FROM tensile_moved m
    WHERE m.unique_key IS NOT NULL AND NOT (${holds}) AND m.unique_window > tensile.now() ORDER BY 1, 2, 3 DESC ON CONFLICT DO NOTHING`,
] as const;

export const heldKey = `SELECT m.id, m.unique_key FROM tensile_moved m JOIN tensile.unique_key q ON q.scope = m.unique_scope AND q.key = m.unique_key
  WHERE ${holds} AND q.job <> m.id ORDER BY m.id LIMIT 1`;

const same =
  "priority, attempt, enqueued_at, unique_window, unique_until, noted, key, tenant, unique_scope, unique_key, progress, context, payload";
const sameOfMoved = same.replaceAll(/\w+/g, "m.$&");
const errorsOf = "(SELECT array_agg(p.value ORDER BY p.ord) FROM tensile_part p WHERE p.kind = 0 AND p.job = m.id)";

export const layEverything = [
  // Unfinished jobs keep the order of their ids. Those that wait for others are looked at by the next claim, as new ones are.
  `INSERT INTO tensile.job (id, name_id, state, place, ready_at, due, dep_mode, signal, errors, ${same})
  SELECT m.id, n.id, CASE WHEN m.state = 3 AND n.fair THEN 6 ELSE m.state END, m.id, CASE WHEN m.state = 3 THEN m.enqueued_at END, m.due, m.dep_mode, m.signal,
    ${errorsOf}, ${sameOfMoved} FROM tensile_moved m JOIN tensile.name n ON n.name = m.name WHERE m.state < 10`,
  // The history is kept in the order in which jobs finished.
  `INSERT INTO tensile.history (slot, id, done, name_id, state, finished_at, epoch, claim, depends, result, errors, ${same})
  SELECT s.slot, m.id, CASE m.state WHEN 10 THEN nextval('tensile.outcome_number') WHEN 11 THEN nextval('tensile.done_failed')
      ELSE nextval('tensile.done_cancelled') END, m.name_id, m.state, m.finished_at, 0, 0, m.dep_mode IS NOT NULL, m.result, ${errorsOf}, ${sameOfMoved}
    FROM (SELECT m.*, n.id AS name_id FROM tensile_moved m JOIN tensile.name n ON n.name = m.name WHERE m.state >= 10 ORDER BY m.finished_at, m.id) AS m
    JOIN tensile.shelf s ON s.state = m.state ORDER BY m.finished_at, m.id`,
  "INSERT INTO tensile.note (job, name, value) SELECT job, name, value FROM tensile_part WHERE kind = 1 ORDER BY job, ord",
  `INSERT INTO tensile.dependency (job, ord, on_job, named, pending, outcome)
  SELECT p.job, p.ord, p.on_job, convert_from(p.value, 'UTF8'), p.outcome IS NULL AND m.state = 8, p.outcome
    FROM tensile_part p JOIN tensile_moved m ON m.id = p.job WHERE p.kind = 2`,
  `SELECT setval('tensile.job_id', greatest((SELECT last_value FROM tensile.job_id), (SELECT coalesce(max(id), 0) / 512 * 512 + 512 FROM tensile_moved)))`,
] as const;

export const layOccurrence = `INSERT INTO tensile.occurrence (schedule, at) VALUES ($1::bytea, $2::bigint)
  ON CONFLICT (schedule) DO UPDATE SET at = greatest(tensile.occurrence.at, excluded.at)`;

export const layPaused =
  "INSERT INTO tensile.name (name, paused) VALUES ($1::text, true) ON CONFLICT (name) DO UPDATE SET paused = true";
