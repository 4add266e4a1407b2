/**
 * The tables of the row path: one mutable row per unfinished job, and a history that is appended to and emptied slot by slot. Text of users is kept
 * as bytes, because a JSON text may hold what PostgreSQL's `text` refuses (U+0000).
 *
 * `job.state`:   0 waits for other jobs      1 waits for a signal        2 scheduled         3 ready: stands in the claim index
 *                4 running                   5 ready, parked: its key may not start           6 ready, has no turn among the tenants yet
 *                8 waits for other jobs that nobody has looked at yet   (of `history`: 10 succeeded, 11 failed, 12 cancelled)
 */
/** Partitions of the counts. */
export const tallySlots = 8;

/** The partition that takes deltas now. A sequence tells, since a row that says so would be updated every second: a long transaction would let its dead versions gather. */
export const tallySlot = `(SELECT (last_value % ${tallySlots})::smallint FROM tensile.tally_turn)`;

export const historySlots = { succeeded: [0, 8], failed: [8, 12], cancelled: [12, 16] } as const;

export const rowTables = `
CREATE TABLE tensile.name (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  paused boolean NOT NULL DEFAULT false,
  -- Jobs of tenants were seen: ready jobs get a turn before they can be claimed.
  fair boolean NOT NULL DEFAULT false,
  ageing_ms float8,
  per_key boolean NOT NULL DEFAULT false,
  key_concurrency int,
  key_limit int,
  key_interval float8,
  key_ordered boolean NOT NULL DEFAULT false,
  gates text[]
);

CREATE TABLE tensile.gate (
  id text PRIMARY KEY,
  concurrency int,
  rate_limit int,
  rate_interval float8,
  running int NOT NULL DEFAULT 0,
  -- GCRA: the theoretical arrival time of the next start, in milliseconds.
  tat float8 NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

CREATE SEQUENCE tensile.job_id;
CREATE SEQUENCE tensile.epoch;

CREATE TABLE tensile.job (
  id bigint PRIMARY KEY,
  name_id int NOT NULL,
  state smallint NOT NULL,
  priority smallint NOT NULL,
  attempt int NOT NULL DEFAULT 0,
  turn bigint NOT NULL DEFAULT 0,
  place bigint NOT NULL,
  enqueued_at bigint NOT NULL,
  ready_at bigint,
  -- When a scheduled job is due, or one that waits for a signal goes on without it.
  due bigint,
  epoch bigint NOT NULL DEFAULT 0,
  claim bigint NOT NULL DEFAULT 0,
  unique_window bigint,
  unique_until smallint,
  dep_mode smallint,
  -- Holds a slot of its key; the gates of which it holds a slot.
  held boolean NOT NULL DEFAULT false,
  noted boolean NOT NULL DEFAULT false,
  cancel_asked boolean NOT NULL DEFAULT false,
  gates text[],
  key bytea,
  tenant bytea,
  unique_scope bytea,
  unique_key bytea,
  signal bytea,
  progress bytea,
  context bytea,
  payload bytea NOT NULL,
  errors bytea[]
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- The order of the index is the order of claims.
CREATE INDEX job_ready ON tensile.job (name_id, priority, turn, place) WHERE state = 3;
CREATE INDEX job_parked ON tensile.job (name_id, key, priority, turn, place) WHERE state = 5;
CREATE INDEX job_unplaced ON tensile.job (name_id, place) WHERE state = 6;
CREATE INDEX job_unseen ON tensile.job (id) WHERE state = 8;
CREATE INDEX job_due ON tensile.job (due, id) WHERE state IN (1, 2) AND due IS NOT NULL;
CREATE INDEX job_running ON tensile.job (epoch) WHERE state = 4;
CREATE INDEX job_cancel ON tensile.job (epoch) WHERE state = 4 AND cancel_asked;
-- The order of a key: its oldest unfinished job.
CREATE INDEX job_key ON tensile.job (name_id, key, id) WHERE key IS NOT NULL;

CREATE TABLE tensile.key_state (
  name_id int NOT NULL,
  key bytea NOT NULL,
  running int NOT NULL DEFAULT 0,
  tat float8 NOT NULL DEFAULT 0,
  -- When a parked job of this key may start at the earliest, where its rate is what holds it.
  free_at float8,
  PRIMARY KEY (name_id, key)
) WITH (fillfactor = 50);
CREATE INDEX key_free ON tensile.key_state (free_at) WHERE free_at IS NOT NULL;

-- Turns of tenants: a lane's is that of its last claim, a tenant's that of its youngest job.
CREATE TABLE tensile.lane (
  name_id int NOT NULL, priority smallint NOT NULL, turn bigint NOT NULL DEFAULT 0, PRIMARY KEY (name_id, priority)
) WITH (fillfactor = 20);
CREATE TABLE tensile.tenant (
  name_id int NOT NULL, priority smallint NOT NULL, tenant bytea NOT NULL, turn bigint NOT NULL, PRIMARY KEY (name_id, priority, tenant)
) WITH (fillfactor = 50);

CREATE TABLE tensile.unique_key (
  scope bytea NOT NULL,
  key bytea NOT NULL,
  job bigint NOT NULL,
  -- Set when nothing but its window holds the key any more.
  free_at bigint,
  PRIMARY KEY (scope, key)
);
CREATE INDEX unique_free ON tensile.unique_key (free_at) WHERE free_at IS NOT NULL;

CREATE TABLE tensile.occurrence (schedule bytea PRIMARY KEY, at bigint NOT NULL) WITH (fillfactor = 50);

CREATE TABLE tensile.dependency (
  job bigint NOT NULL,
  ord int NOT NULL,
  on_job bigint NOT NULL,
  -- As the job named it, where that is not the id of any job.
  named text,
  pending boolean NOT NULL,
  -- How it ended: that is what counted, whatever becomes of it later.
  outcome smallint,
  PRIMARY KEY (job, ord)
);
CREATE INDEX dependency_on ON tensile.dependency (on_job) WHERE pending;
CREATE INDEX dependency_pending ON tensile.dependency (job) WHERE pending;

CREATE TABLE tensile.note (
  job bigint NOT NULL, ord bigint GENERATED ALWAYS AS IDENTITY, name bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (job, name)
);

-- How many jobs of a name are in which state, in rows and in blocks: whatever changes it appends a delta in its own commit. From time to time the deltas of a partition become
-- one row per name in another one, and it is emptied as a whole: nothing is deleted row by row.
CREATE SEQUENCE tensile.tally_turn;
CREATE TABLE tensile.tally (
  slot smallint NOT NULL, name_id int NOT NULL, waiting bigint NOT NULL, scheduled bigint NOT NULL, ready bigint NOT NULL, running bigint NOT NULL
) PARTITION BY LIST (slot);
DO $$ BEGIN
  FOR slot IN 0..${tallySlots - 1} LOOP
    EXECUTE format('CREATE TABLE tensile.tally_%s PARTITION OF tensile.tally FOR VALUES IN (%s)', slot, slot);
  END LOOP;
END $$;

-- Which slot of the history takes what finishes, and below which number (of its order of finishing) nothing is kept any more.
CREATE TABLE tensile.shelf (
  state smallint PRIMARY KEY, slot smallint NOT NULL, floor bigint NOT NULL DEFAULT 0, opened bigint NOT NULL DEFAULT 0, opened_at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO tensile.shelf (state, slot) VALUES (10, ${historySlots.succeeded[0]}), (11, ${historySlots.failed[0]}), (12, ${historySlots.cancelled[0]});
-- Of what succeeds, in rows and in blocks: retention counts both as one.
CREATE SEQUENCE tensile.outcome_number;
CREATE SEQUENCE tensile.done_failed;
CREATE SEQUENCE tensile.done_cancelled;

CREATE TABLE tensile.history (
  slot smallint NOT NULL,
  id bigint NOT NULL,
  done bigint NOT NULL,
  name_id int NOT NULL,
  state smallint NOT NULL,
  priority smallint NOT NULL,
  attempt int NOT NULL,
  enqueued_at bigint NOT NULL,
  finished_at bigint NOT NULL,
  epoch bigint NOT NULL,
  claim bigint NOT NULL,
  unique_window bigint,
  unique_until smallint,
  noted boolean NOT NULL,
  depends boolean NOT NULL,
  key bytea,
  tenant bytea,
  unique_scope bytea,
  unique_key bytea,
  progress bytea,
  context bytea,
  payload bytea NOT NULL,
  result bytea,
  errors bytea[]
) PARTITION BY LIST (slot);
CREATE INDEX history_id ON tensile.history (id);
CREATE INDEX history_done ON tensile.history (state, done) INCLUDE (name_id, finished_at);
DO $$ BEGIN
  FOR slot IN 0..${historySlots.cancelled[1] - 1} LOOP
    EXECUTE format('CREATE TABLE tensile.history_%s PARTITION OF tensile.history FOR VALUES IN (%s)', slot, slot);
  END LOOP;
END $$;
`;

/** Counts are kept by the statements themselves: whatever changes a job's state leaves a delta in the same commit. */
export const rowTally = ["INSERT", "UPDATE", "DELETE"]
  .map((event) => {
    const sides = [
      ...(event === "INSERT" ? [] : ["SELECT name_id, state, -1 AS sign FROM old_rows"]),
      ...(event === "DELETE" ? [] : ["SELECT name_id, state, 1 AS sign FROM new_rows"]),
    ].join(" UNION ALL ");
    const tables = [
      event === "INSERT" ? "" : "OLD TABLE AS old_rows",
      event === "DELETE" ? "" : "NEW TABLE AS new_rows",
    ];
    return `
CREATE FUNCTION tensile.tally_${event.toLowerCase()}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO tensile.tally
  SELECT ${tallySlot}, name_id, w, s, r, n FROM (
    SELECT name_id, coalesce(sum(sign) FILTER (WHERE state IN (0, 1, 8)), 0) AS w, coalesce(sum(sign) FILTER (WHERE state = 2), 0) AS s,
      coalesce(sum(sign) FILTER (WHERE state IN (3, 5, 6)), 0) AS r, coalesce(sum(sign) FILTER (WHERE state = 4), 0) AS n
    FROM (${sides}) AS sides GROUP BY name_id
  ) AS sums WHERE w <> 0 OR s <> 0 OR r <> 0 OR n <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER tally_${event.toLowerCase()} AFTER ${event} ON tensile.job REFERENCING ${tables.join(" ")}
  FOR EACH STATEMENT EXECUTE FUNCTION tensile.tally_${event.toLowerCase()}();`;
  })
  .join("\n");
