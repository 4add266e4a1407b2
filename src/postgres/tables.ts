/** The first migration: the clock of the store, and short-lived records. */

export const baseTables = `
-- The only reader of time: milliseconds since 1970, by the clock of the server. A test may replace it.
CREATE FUNCTION tensile.now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
  AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

-- Short-lived records. What is indexed is the minute of the end, so that a rate limit's steps within one minute touch no index (HOT).
CREATE TABLE tensile.kv (
  key bytea NOT NULL PRIMARY KEY,
  value bytea NOT NULL,
  version bigint NOT NULL,
  ends float8 NOT NULL,
  minute int NOT NULL,
  pinned boolean NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX kv_minute ON tensile.kv (minute);
CREATE SEQUENCE tensile.kv_version;

CREATE FUNCTION tensile.kv_minute(ends float8) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT floor(ends / 60000)::int';

-- One step of GCRA: see KvStore.advance. The clock is read when the record is ours.
CREATE FUNCTION tensile.kv_advance(p_key bytea, p_by float8, p_most float8, p_rounding float8, OUT accepted boolean, OUT ahead float8)
LANGUAGE plpgsql AS $$
DECLARE
  at float8;
  before float8;
BEGIN
  LOOP
    SELECT ends INTO before FROM tensile.kv WHERE key = p_key FOR UPDATE;
    at := tensile.now();
    ahead := CASE WHEN FOUND THEN least(greatest(before - at, 0), p_most) ELSE 0 END;
    accepted := ahead + p_by <= p_most + p_rounding;
    IF NOT accepted OR p_by = 0 THEN
      RETURN;
    END IF;
    IF before IS NOT NULL THEN
      UPDATE tensile.kv SET value = '', version = nextval('tensile.kv_version'), ends = at + ahead + p_by,
        minute = tensile.kv_minute(at + ahead + p_by), pinned = false WHERE key = p_key;
      ahead := ahead + p_by;
      RETURN;
    END IF;
    INSERT INTO tensile.kv VALUES (p_key, '', nextval('tensile.kv_version'), at + p_by, tensile.kv_minute(at + p_by), false)
      ON CONFLICT DO NOTHING;
    IF FOUND THEN
      ahead := p_by;
      RETURN;
    END IF;
  END LOOP;
END $$;
`;

/** After the row path: the processes of the fleet. */
export const fleetTables = `
-- One row per open store. An epoch is never given twice, also not after a crash of the server.
CREATE TABLE tensile.process (
  epoch bigint NOT NULL PRIMARY KEY,
  -- The lease: until when the others take it to be alive.
  until bigint NOT NULL,
  -- Set once, by whoever rescues its jobs: it can settle nothing any more.
  dead boolean NOT NULL DEFAULT false,
  -- Claims with lower numbers come too late: nobody waits for them any more.
  claims_from bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 500);

CREATE FUNCTION tensile.join_fleet(p_lease bigint) RETURNS bigint LANGUAGE sql AS
  $$ INSERT INTO tensile.process (epoch, until) VALUES (nextval('tensile.epoch'), tensile.now() + p_lease) RETURNING epoch $$;

-- Renews a lease, and names those whose lease is over. Losing the last renewals in a crash of the server costs nothing, so they wait for no disk.
CREATE FUNCTION tensile.beat(p_epoch bigint, p_lease bigint, OUT alive boolean, OUT over bigint[]) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE tensile.process SET until = tensile.now() + p_lease WHERE epoch = p_epoch AND NOT dead;
  alive := FOUND;
  SELECT coalesce(array_agg(epoch), '{}') INTO over FROM tensile.process WHERE dead OR until < tensile.now();
END $$;

-- The order of claims, in all processes: taken while the claim holds its jobs, so that a later claim of a job has a higher number.
CREATE SEQUENCE tensile.fence;
-- A claim's commit waits for no disk, and a crash of the server, or a failover, may lose it, and that numbers were given. What is UNLOGGED is emptied by either: so this row
-- says which run of the server it is, by a number of that run alone. With a new one the numbers of claims go on beyond all that may have been given, and that is on disk
-- before anybody gets one.
CREATE UNLOGGED TABLE tensile.server_run (one boolean PRIMARY KEY, run bigint NOT NULL);
CREATE FUNCTION tensile.this_run() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_run bigint;
BEGIN
  SELECT r.run INTO v_run FROM tensile.server_run r;
  IF v_run IS NULL THEN
    INSERT INTO tensile.server_run VALUES (true, floor(random() * 9007199254740991)) ON CONFLICT DO NOTHING;
    IF FOUND THEN
      PERFORM setval('tensile.fence', last_value + 1000000000) FROM tensile.fence;
      PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    SELECT r.run INTO v_run FROM tensile.server_run r;
  END IF;
  RETURN v_run;
END $$;
CREATE FUNCTION tensile.next_fence() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM tensile.this_run(); RETURN nextval('tensile.fence'); END $$;

-- Nothing is claimed under this number, or a lower one, from here on: whoever does so now is waited for, and what was sent and did not arrive yet is refused.
CREATE FUNCTION tensile.end_claim(p_epoch bigint, p_claim bigint) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
  PERFORM FROM tensile.process WHERE epoch = p_epoch FOR UPDATE;
  UPDATE tensile.process SET claims_from = greatest(claims_from, p_claim + 1) WHERE epoch = p_epoch;
END $$;

-- From here on those epochs settle nothing: whoever settles holds a lock of the row that this waits for.
CREATE FUNCTION tensile.declare_dead(p_epochs bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_dead bigint[];
BEGIN
  PERFORM FROM tensile.process WHERE epoch = ANY(p_epochs) ORDER BY epoch FOR UPDATE;
  UPDATE tensile.process SET dead = true WHERE epoch = ANY(p_epochs) AND NOT dead AND until < tensile.now();
  SELECT coalesce(array_agg(epoch), '{}') INTO v_dead FROM tensile.process WHERE epoch = ANY(p_epochs) AND dead;
  RETURN v_dead;
END $$;
`;

const entries = [
  ...[
    "abandon",
    "enqueue",
    "get",
    "kept",
    "list",
    "records",
    "rotate",
    "settle",
    "since",
    "take_out",
    "turn",
    "unfinished",
  ].map((name) => `blocks_${name}`),
  ...[
    "backlog",
    "cancel",
    "counts",
    "dependencies",
    "ended",
    "enqueue",
    "fold",
    "note",
    "policy",
    "prune",
    "records",
    "rescue",
  ].map((name) => `rows_${name}`),
  ...["retry", "rotate", "running_names", "settle", "signal", "sweep", "turn", "unstarted"].map(
    (name) => `rows_${name}`,
  ),
];

/**
 * At the end: these statements are short, but the planner thinks them dear, since they go over many empty partitions; it would then compile them (JIT) for a
 * second or more, each time. Only what the store calls itself is named: a function with a setting is not inlined, and costs a little more per call.
 */
export const neverCompiled = `
DO $jit$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
    WHERE c.oid = 'tensile.job'::regclass AND p.proname IN (${entries.map((name) => `'${name}'`).join(", ")}) LOOP
    EXECUTE format('ALTER FUNCTION %s SET jit = off', f);
  END LOOP;
  -- By ids, of which there may be many: never through all that waits and is kept.
  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
    WHERE c.oid = 'tensile.job'::regclass AND p.proname IN ('blocks_records', 'rows_records', 'rows_ended', 'rows_backlog') LOOP
    EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off SET enable_mergejoin = off', f);
  END LOOP;
  -- Along the index, always: the planner takes few blocks for unclaimed, and would rather read all claims and sort, at a cost that grows with what waits and is kept.
  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
    WHERE c.oid = 'tensile.job'::regclass AND p.proname IN ('blocks_turn', 'blocks_settle', 'blocks_since', 'blocks_take_out', 'blocks_unfinished', 'blocks_abandon') LOOP
    EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off', f);
  END LOOP;
  -- Planned once per connection: what they do to a few rows costs less than the plans of it.
  FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
    WHERE c.oid = 'tensile.job'::regclass AND p.proname IN ('blocks_enqueue', 'blocks_settle', 'blocks_turn') LOOP
    EXECUTE format('ALTER FUNCTION %s SET plan_cache_mode = force_generic_plan', f);
  END LOOP;
END $jit$;
`;
