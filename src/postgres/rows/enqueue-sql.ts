/**
 * Enqueueing in one statement. It takes no lock that a caller's long transaction could hold against others, but those of its own unique keys and
 * schedules: a key's limits, the turns of tenants and what a job waits for are looked at by whoever claims next, in a short transaction.
 */
import { ownStates } from "../trouble.ts";

export const rowEnqueue = `
-- Names are few: their numbers are asked for once by every process.
CREATE FUNCTION tensile.rows_names(names text[], fairs boolean[]) RETURNS TABLE (name text, id int, fair boolean, limited boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO tensile.name (name) SELECT n FROM unnest(names) AS n WHERE n NOT IN (SELECT m.name FROM tensile.name m) ORDER BY n ON CONFLICT DO NOTHING;
  UPDATE tensile.name m SET fair = true FROM unnest(names, fairs) AS u(n, f) WHERE m.name = u.n AND u.f AND NOT m.fair;
  RETURN QUERY SELECT m.name, m.id, m.fair, m.per_key OR m.gates IS NOT NULL OR m.ageing_ms IS NOT NULL FROM tensile.name m WHERE m.name = ANY(names);
END $$;

-- Takes a unique key for a job, or says who holds it.
CREATE FUNCTION tensile.rows_take_unique(p_scope bytea, p_key bytea, p_job bigint, p_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_holder bigint;
BEGIN
  FOR attempt IN 1..10 LOOP
    INSERT INTO tensile.unique_key (scope, key, job) VALUES (p_scope, p_key, p_job) ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN NULL; END IF;
    UPDATE tensile.unique_key SET job = p_job, free_at = NULL WHERE scope = p_scope AND key = p_key AND free_at <= p_now;
    IF FOUND THEN RETURN NULL; END IF;
    SELECT job INTO v_holder FROM tensile.unique_key WHERE scope = p_scope AND key = p_key;
    IF FOUND THEN RETURN v_holder; END IF;
  END LOOP;
  RAISE EXCEPTION 'unique key is contended' USING ERRCODE = '40001';
END $$;

CREATE FUNCTION tensile.rows_holder(p_scope bytea, p_key bytea, p_now bigint) RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT job FROM tensile.unique_key WHERE scope = p_scope AND key = p_key AND (free_at IS NULL OR free_at > p_now) $$;

-- Who holds the keys of these jobs: null where the job itself took it. In the order of keys, so that two batches never wait for each other.
CREATE FUNCTION tensile.rows_take_uniques(p_ids bigint[], p_scopes bytea[], p_keys bytea[], p_now bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_first int[]; v_holders bigint[]; v_open int[];
BEGIN
  SELECT array_agg(o ORDER BY s, k) INTO v_open FROM (
    SELECT DISTINCT ON (s, k) s, k, o::int FROM unnest(p_scopes, p_keys) WITH ORDINALITY AS u(s, k, o) WHERE k IS NOT NULL ORDER BY s, k, o
  ) AS firsts;
  v_first := v_open;
  FOR attempt IN 1..10 LOOP
    EXIT WHEN v_open IS NULL;
    INSERT INTO tensile.unique_key (scope, key, job)
      SELECT p_scopes[o], p_keys[o], p_ids[o] FROM unnest(v_open) WITH ORDINALITY AS u(o, n) ORDER BY n ON CONFLICT DO NOTHING;
    UPDATE tensile.unique_key q SET job = p_ids[o], free_at = NULL FROM unnest(v_open) AS o
      WHERE q.scope = p_scopes[o] AND q.key = p_keys[o] AND q.free_at <= p_now;
    SELECT array_agg(o ORDER BY n) INTO v_open FROM unnest(v_open) WITH ORDINALITY AS u(o, n)
      WHERE NOT EXISTS (SELECT 1 FROM tensile.unique_key q WHERE q.scope = p_scopes[o] AND q.key = p_keys[o]);
  END LOOP;
  IF v_open IS NOT NULL THEN RAISE EXCEPTION 'unique keys are contended' USING ERRCODE = '40001'; END IF;
  SELECT array_agg(nullif(q.job, p_ids[u.o]) ORDER BY u.o) INTO v_holders
    FROM unnest(p_scopes, p_keys) WITH ORDINALITY AS u(s, k, o) LEFT JOIN tensile.unique_key q ON q.scope = u.s AND q.key = u.k;
  RETURN v_holders;
END $$;

-- One job after the other, where occurrences are among them: null is a new job, 0 an occurrence that is known, else the holder of its key.
CREATE FUNCTION tensile.rows_take_in_order(p_ids bigint[], p_scopes bytea[], p_keys bytea[], p_schedules bytea[], p_at bigint[], p_now bigint)
  RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_holders bigint[] := '{}'; v_holder bigint; v_last bigint;
BEGIN
  FOR i IN 1..cardinality(p_ids) LOOP
    v_holder := NULL;
    IF p_schedules[i] IS NOT NULL THEN
      INSERT INTO tensile.occurrence (schedule, at) VALUES (p_schedules[i], -1) ON CONFLICT DO NOTHING;
      SELECT at INTO v_last FROM tensile.occurrence WHERE schedule = p_schedules[i] FOR UPDATE;
      IF p_at[i] <= v_last THEN
        v_holder := coalesce(tensile.rows_holder(p_scopes[i], p_keys[i], p_now), 0);
        v_holders := v_holders || v_holder;
        CONTINUE;
      END IF;
    END IF;
    IF p_keys[i] IS NOT NULL THEN v_holder := tensile.rows_take_unique(p_scopes[i], p_keys[i], p_ids[i], p_now); END IF;
    IF v_holder IS NULL AND p_schedules[i] IS NOT NULL THEN UPDATE tensile.occurrence SET at = p_at[i] WHERE schedule = p_schedules[i]; END IF;
    v_holders := v_holders || v_holder;
  END LOOP;
  RETURN v_holders;
END $$;

-- Text fields come as one blob with the start and the length of each: a null start is an absent field.
CREATE FUNCTION tensile.rows_fields(blob bytea, starts int[], lens int[], n int) RETURNS bytea[] LANGUAGE sql IMMUTABLE AS $$
  SELECT array_agg(substring(blob FROM starts[i] + 1 FOR lens[i]) ORDER BY i) FROM generate_series(1, n) AS i
$$;

CREATE FUNCTION tensile.rows_enqueue(
  p_verify boolean, p_most bigint, p_blob bytea, p_name int[], p_priority smallint[], p_run_at bigint[], p_delay bigint[],
  p_payload int[], p_payload_len int[], p_context int[], p_context_len int[], p_key int[], p_key_len int[], p_tenant int[], p_tenant_len int[],
  p_scope int[], p_scope_len int[], p_unique int[], p_unique_len int[], p_until smallint[], p_window bigint[],
  p_schedule int[], p_schedule_len int[], p_occurrence bigint[], p_dep_mode smallint[], p_dep_of int[], p_dep_on bigint[], p_dep_named text[]
) RETURNS TABLE (id bigint, duplicate boolean, state smallint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := tensile.now();
  v_n int := cardinality(p_name);
  v_ids bigint[];
  v_holders bigint[];
  v_scopes bytea[];
  v_uniques bytea[];
  v_waiting bigint[];
BEGIN
  IF p_most IS NOT NULL AND (SELECT u.unstarted FROM tensile.rows_unstarted(NULL) AS u) + v_n > p_most THEN
    RAISE EXCEPTION 'too many jobs wait' USING ERRCODE = '${ownStates.queueFull}';
  END IF;
  SELECT array_agg(s.v) INTO v_ids FROM (SELECT nextval('tensile.job_id') AS v FROM generate_series(1, v_n)) AS s;
  IF cardinality(p_unique) > 0 OR cardinality(p_schedule) > 0 THEN
    v_scopes := tensile.rows_fields(p_blob, p_scope, p_scope_len, v_n);
    v_uniques := tensile.rows_fields(p_blob, p_unique, p_unique_len, v_n);
    IF cardinality(p_schedule) > 0 THEN
      v_holders := tensile.rows_take_in_order(v_ids, v_scopes, v_uniques,
        tensile.rows_fields(p_blob, p_schedule, p_schedule_len, v_n), p_occurrence, v_now);
    ELSE
      v_holders := tensile.rows_take_uniques(v_ids, v_scopes, v_uniques, v_now);
    END IF;
  END IF;
  INSERT INTO tensile.job (id, name_id, state, priority, place, enqueued_at, ready_at, due, unique_window, unique_until, dep_mode,
    key, tenant, unique_scope, unique_key, context, payload)
  SELECT u.id, u.name, CASE WHEN u.dep_mode IS NOT NULL THEN 8 WHEN l.at > v_now THEN 2 WHEN n.fair THEN 6 ELSE 3 END, u.priority, u.id, v_now,
    CASE WHEN u.dep_mode IS NULL AND NOT l.at > v_now THEN v_now END, CASE WHEN l.at > v_now THEN l.at END,
    CASE WHEN u.win IS NOT NULL THEN v_now + u.win END, u.til, u.dep_mode,
    substring(p_blob FROM u.k + 1 FOR u.kl), substring(p_blob FROM u.t + 1 FOR u.tl),
    substring(p_blob FROM u.s + 1 FOR u.sl), substring(p_blob FROM u.q + 1 FOR u.ql),
    substring(p_blob FROM u.c + 1 FOR u.cl), substring(p_blob FROM u.p + 1 FOR u.pl)
  FROM unnest(v_ids, p_name, p_priority, p_run_at, p_delay, p_payload, p_payload_len, p_context, p_context_len, p_key, p_key_len, p_tenant, p_tenant_len,
    p_scope, p_scope_len, p_unique, p_unique_len, p_until, p_window, p_dep_mode, v_holders)
    AS u(id, name, priority, run_at, delay, p, pl, c, cl, k, kl, t, tl, s, sl, q, ql, til, win, dep_mode, holder)
  CROSS JOIN LATERAL (SELECT coalesce(u.run_at, v_now + u.delay, v_now) AS at) AS l
  JOIN tensile.name n ON n.id = u.name
  WHERE u.holder IS NULL;
  IF cardinality(p_dep_of) > 0 THEN
    INSERT INTO tensile.dependency (job, ord, on_job, named, pending)
    SELECT v_ids[d.of], d.ord, CASE WHEN d.on_job < 0 THEN coalesce(nullif(v_holders[-d.on_job], 0), v_ids[-d.on_job]) ELSE d.on_job END,
      coalesce(d.named, CASE WHEN d.on_job < 0 AND v_holders[-d.on_job] = 0 THEN '' END), true
    FROM unnest(p_dep_of, p_dep_on, p_dep_named) WITH ORDINALITY AS d(of, on_job, named, ord)
    WHERE v_holders IS NULL OR v_holders[d.of] IS NULL;
    IF p_verify THEN
      SELECT array_agg(v_ids[o]) INTO v_waiting FROM unnest(p_dep_mode) WITH ORDINALITY AS u(m, o) WHERE m IS NOT NULL;
      PERFORM tensile.rows_verify(v_now, v_waiting);
    END IF;
  END IF;
  RETURN QUERY SELECT coalesce(u.holder, u.id), u.holder IS NOT NULL, j.state
    FROM unnest(v_ids, v_holders) WITH ORDINALITY AS u(id, holder, ord) LEFT JOIN tensile.job j ON j.id = u.id ORDER BY u.ord;
END $$;
`;
