/**
 * What happens when jobs end, and what their end sets free: unique keys, the slots of their keys, the jobs that waited for them.
 *
 * Order of locks, everywhere: gates by id, keys by (name, key), running jobs by id, jobs that waited for them by id. Ready and parked jobs are locked
 * with SKIP LOCKED only. A cancel takes its job before the job's key, which nobody else waits for while holding the key.
 */
export const rowFinish = `
-- How many of a key or a gate may start now. A clock that was put back locks nobody out for longer than the period; intervals need not be whole.
CREATE FUNCTION tensile.rows_room(running int, concurrency int, tat float8, rate_limit int, rate_interval float8, now_at bigint) RETURNS int
  LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(0, least(coalesce(concurrency - running, 2147483647),
    CASE WHEN rate_limit IS NULL THEN 2147483647 ELSE floor(rate_limit - (least(greatest(tat, now_at), now_at + rate_interval * rate_limit) - now_at - 1e-3) / rate_interval)::int END))
$$;

-- When the rate lets the next one start; null where it does not hold any up.
CREATE FUNCTION tensile.rows_free_at(tat float8, rate_limit int, rate_interval float8, now_at bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN rate_limit IS NOT NULL AND floor(rate_limit - (least(greatest(tat, now_at), now_at + rate_interval * rate_limit) - now_at - 1e-3) / rate_interval) < 1
    THEN ceil(least(tat, now_at + rate_interval * rate_limit) - rate_interval * (rate_limit - 1) - 1e-3) END
$$;

-- Lets parked jobs of these keys (whose rows are locked) stand in the claim index again, as many as may start.
CREATE FUNCTION tensile.rows_admit(p_now bigint, p_names int[], p_keys bytea[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_admitted int; v_ids bigint[];
BEGIN
  SELECT array_agg(pick.id) INTO v_ids
  FROM (SELECT DISTINCT name_id, key FROM unnest(p_names, p_keys) AS u(name_id, key) WHERE key IS NOT NULL) AS u
  JOIN tensile.name n ON n.id = u.name_id
  LEFT JOIN tensile.key_state k ON k.name_id = u.name_id AND k.key = u.key
  CROSS JOIN LATERAL (SELECT tensile.rows_room(coalesce(k.running, 0), CASE WHEN n.key_ordered THEN 1 ELSE n.key_concurrency END,
    coalesce(k.tat, 0), n.key_limit, n.key_interval, p_now) AS room) AS r
  CROSS JOIN LATERAL (
    (SELECT j.id FROM tensile.job j WHERE j.state = 5 AND j.name_id = u.name_id AND j.key = u.key AND NOT n.key_ordered
      ORDER BY j.priority, j.turn, j.place LIMIT least(r.room, 100))
    UNION ALL
    SELECT h.id FROM (SELECT j.id, j.state FROM tensile.job j WHERE n.key_ordered AND j.name_id = u.name_id AND j.key = u.key ORDER BY j.id LIMIT 1) AS h
      WHERE h.state = 5 AND r.room > 0
  ) AS pick;
  IF v_ids IS NULL THEN v_admitted := 0;
  ELSE
    UPDATE tensile.job j SET state = 3
      WHERE j.id IN (SELECT l.id FROM tensile.job l WHERE l.id = ANY(v_ids) AND l.state + 0 = 5 ORDER BY l.id FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_admitted = ROW_COUNT;
  END IF;
  PERFORM tensile.rows_mark_free(p_now, p_names, p_keys);
  RETURN v_admitted;
END $$;

-- Notes when keys whose rate is what holds their parked jobs let the next one go.
CREATE FUNCTION tensile.rows_mark_free(p_now bigint, p_names int[], p_keys bytea[]) RETURNS void LANGUAGE sql AS $$
  UPDATE tensile.key_state k SET free_at = m.free_at
  FROM (
    SELECT u.name_id, u.key, CASE WHEN EXISTS (SELECT 1 FROM tensile.job j WHERE j.state = 5 AND j.name_id = u.name_id AND j.key = u.key)
      THEN tensile.rows_free_at(s.tat, n.key_limit, n.key_interval, p_now) END AS free_at
    FROM (SELECT DISTINCT name_id, key FROM unnest(p_names, p_keys) AS u(name_id, key)) AS u
    JOIN tensile.name n ON n.id = u.name_id AND n.key_limit IS NOT NULL
    JOIN tensile.key_state s ON s.name_id = u.name_id AND s.key = u.key
  ) AS m
  WHERE k.name_id = m.name_id AND k.key = m.key AND k.free_at IS DISTINCT FROM m.free_at
$$;

-- Locks the keys of a batch, in order; absent ones are made.
CREATE FUNCTION tensile.rows_lock_keys(p_names int[], p_keys bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tensile.key_state (name_id, key)
    SELECT DISTINCT u.n, u.k FROM unnest(p_names, p_keys) AS u(n, k)
    WHERE k IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tensile.key_state s WHERE s.name_id = u.n AND s.key = u.k) ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  PERFORM 1 FROM tensile.key_state s WHERE (s.name_id, s.key) IN (SELECT u.n, u.k FROM unnest(p_names, p_keys) AS u(n, k))
    ORDER BY s.name_id, s.key FOR UPDATE;
END $$;

-- What has a turn to wait for, or none: where a job goes that becomes ready.
CREATE FUNCTION tensile.rows_ready(p_now bigint, p_ids bigint[]) RETURNS void LANGUAGE sql AS $$
  UPDATE tensile.job j SET state = CASE WHEN n.fair THEN 6 ELSE 3 END, place = p.place, due = NULL, ready_at = p_now, signal = NULL
  FROM (SELECT id, nextval('tensile.job_id') AS place FROM unnest(p_ids) AS id) AS p, tensile.name n
  WHERE j.id = p.id AND n.id = j.name_id
$$;

-- What is due becomes ready, in the order of its times.
CREATE FUNCTION tensile.rows_promote(p_now bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[];
BEGIN
  SELECT array_agg(id) INTO v_ids FROM (
    SELECT id FROM tensile.job WHERE state IN (1, 2) AND due <= p_now ORDER BY due, id LIMIT 2000 FOR UPDATE SKIP LOCKED
  ) AS d;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  PERFORM tensile.rows_ready(p_now, v_ids);
  RETURN cardinality(v_ids);
END $$;

-- Waiting jobs of which nothing is pending any more go on.
CREATE FUNCTION tensile.rows_unblock(p_now bigint, p_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_free bigint[]; v_ready bigint[];
BEGIN
  SELECT array_agg(id ORDER BY id), array_agg(id ORDER BY id) FILTER (WHERE due IS NULL OR due <= p_now) INTO v_free, v_ready
    FROM tensile.job j WHERE id = ANY(p_ids) AND state IN (0, 8) AND NOT EXISTS (SELECT 1 FROM tensile.dependency d WHERE d.job = j.id AND d.pending);
  IF v_free IS NULL THEN RETURN; END IF;
  UPDATE tensile.job SET state = 2 WHERE id = ANY(v_free) AND due > p_now;
  IF v_ready IS NOT NULL THEN PERFORM tensile.rows_ready(p_now, v_ready); END IF;
END $$;

-- Jobs whose dependencies nobody has looked at. What they wait for is locked for that moment: it ends before, and is seen, or after, and tells them.
CREATE FUNCTION tensile.rows_verify(p_now bigint, p_only bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[]; v_lost bigint[]; v_causes bigint[];
BEGIN
  SELECT array_agg(id ORDER BY id) INTO v_ids FROM (
    SELECT id FROM tensile.job WHERE state = 8 AND (p_only IS NULL OR id = ANY(p_only)) ORDER BY id LIMIT CASE WHEN p_only IS NULL THEN 1000 END
    FOR UPDATE SKIP LOCKED
  ) AS unseen;
  IF v_ids IS NULL THEN RETURN '{}'; END IF;
  -- Of those that rest in blocks somebody waits now: they become rows.
  PERFORM tensile.blocks_take_out(ARRAY(SELECT DISTINCT on_job FROM tensile.dependency WHERE job = ANY(v_ids) AND pending));
  PERFORM 1 FROM tensile.job WHERE id IN (SELECT on_job FROM tensile.dependency WHERE job = ANY(v_ids) AND pending) ORDER BY id FOR KEY SHARE;
  UPDATE tensile.dependency d SET pending = false, outcome = coalesce((SELECT h.state FROM tensile.history h WHERE h.id = d.on_job),
      (SELECT b.state FROM tensile.blocks_get(d.on_job) AS b WHERE b.state = 10), 12)
    WHERE d.job = ANY(v_ids) AND d.pending AND NOT EXISTS (SELECT 1 FROM tensile.job j WHERE j.id = d.on_job);
  SELECT array_agg(job ORDER BY job), array_agg(cause ORDER BY job) INTO v_lost, v_causes FROM (
    SELECT DISTINCT ON (d.job) d.job, d.on_job AS cause FROM tensile.dependency d JOIN tensile.job j ON j.id = d.job
    WHERE d.job = ANY(v_ids) AND NOT d.pending AND j.dep_mode = 1 AND d.outcome <> 10
    ORDER BY d.job, d.ord
  ) AS lost;
  UPDATE tensile.job SET state = 0 WHERE id = ANY(v_ids);
  PERFORM tensile.rows_unblock(p_now, ARRAY(SELECT unnest(v_ids) EXCEPT SELECT unnest(v_lost)));
  IF v_lost IS NULL THEN RETURN '{}'; END IF;
  RETURN tensile.rows_abandon(p_now, v_lost, v_causes);
END $$;

-- Cancels jobs that needed others which did not succeed, and those that needed them, and so on. Answers all of them.
CREATE FUNCTION tensile.rows_abandon(p_now bigint, p_ids bigint[], p_causes bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[] := p_ids; v_causes bigint[] := p_causes; v_errors bytea[]; v_all bigint[] := '{}';
BEGIN
  WHILE v_ids IS NOT NULL LOOP
    v_all := v_all || v_ids;
    SELECT array_agg(convert_to(json_build_object('attempt', j.attempt, 'at', p_now, 'code', 'DEPENDENCY_FAILED', 'message',
        'Job ' || u.cause || ', which this one needs, did not succeed.', 'data', json_build_object('id', coalesce((
          SELECT d.named FROM tensile.dependency d WHERE d.job = u.id AND d.on_job = u.cause AND d.named IS NOT NULL ORDER BY d.ord LIMIT 1
        ), u.cause::text))::text)::text, 'UTF8') ORDER BY u.ord)
      INTO v_errors FROM unnest(v_ids, v_causes) WITH ORDINALITY AS u(id, cause, ord) LEFT JOIN tensile.job j ON j.id = u.id;
    SELECT e.lost, e.causes INTO v_ids, v_causes
      FROM tensile.rows_end(p_now, v_ids, array_fill(12::smallint, ARRAY[cardinality(v_ids)]), NULL, v_errors) AS e;
  END LOOP;
  RETURN v_all;
END $$;

CREATE FUNCTION tensile.rows_finish(p_now bigint, p_ids bigint[], p_states smallint[], p_results bytea[], p_errors bytea[]) RETURNS bigint[]
  LANGUAGE plpgsql AS $$
DECLARE v_lost bigint[]; v_causes bigint[];
BEGIN
  SELECT e.lost, e.causes INTO v_lost, v_causes FROM tensile.rows_end(p_now, p_ids, p_states, p_results, p_errors) AS e;
  RETURN tensile.rows_abandon(p_now, v_lost, v_causes);
END $$;

-- Ends jobs that are locked (or nobody else's), and lets go what they held. Answers who is lost with them, and because of which.
CREATE FUNCTION tensile.rows_end(p_now bigint, p_ids bigint[], p_states smallint[], p_results bytea[], p_errors bytea[], OUT lost bigint[], OUT causes bigint[])
  LANGUAGE plpgsql AS $$
DECLARE
  v_depended bigint[]; v_unique boolean; v_names int[]; v_keys bytea[]; v_slots smallint[];
BEGIN
  SELECT array_agg(slot ORDER BY state) INTO v_slots FROM tensile.shelf;
  WITH gone AS (
    DELETE FROM tensile.job j USING unnest(p_ids) AS f(id) WHERE j.id = f.id RETURNING j.*
  ), kept AS (
    INSERT INTO tensile.history (slot, id, done, name_id, state, priority, attempt, enqueued_at, finished_at, epoch, claim, unique_window, unique_until,
      noted, depends, key, tenant, unique_scope, unique_key, progress, context, payload, result, errors)
    SELECT v_slots[f.state - 9], g.id, CASE f.state WHEN 10 THEN nextval('tensile.outcome_number') WHEN 11 THEN nextval('tensile.done_failed')
      ELSE nextval('tensile.done_cancelled') END, g.name_id, f.state, g.priority, g.attempt, g.enqueued_at, p_now, g.epoch, g.claim, g.unique_window,
      g.unique_until, g.noted, g.dep_mode IS NOT NULL, g.key, g.tenant, g.unique_scope, g.unique_key, g.progress, g.context, g.payload, f.result,
      CASE WHEN f.error IS NULL THEN g.errors ELSE tensile.rows_errors(g.errors, f.error) END
    FROM unnest(p_ids, p_states, p_results, p_errors) WITH ORDINALITY AS f(id, state, result, error, ord) JOIN gone g ON g.id = f.id
    ORDER BY f.ord
    RETURNING unique_key IS NOT NULL AS uniq, CASE WHEN key IS NOT NULL THEN name_id END AS name_id, key
  ) SELECT bool_or(uniq), array_agg(name_id) FILTER (WHERE key IS NOT NULL), array_agg(key) FILTER (WHERE key IS NOT NULL)
    INTO v_unique, v_names, v_keys FROM kept;
  IF v_unique THEN PERFORM tensile.rows_free_uniques(p_now, p_ids); END IF;
  IF EXISTS (SELECT 1 FROM tensile.dependency WHERE on_job = ANY(p_ids) AND pending) THEN
    SELECT array_agg(DISTINCT job) INTO v_depended FROM tensile.dependency WHERE on_job = ANY(p_ids) AND pending;
    PERFORM 1 FROM tensile.job WHERE id = ANY(v_depended) AND state = 0 ORDER BY id FOR UPDATE;
    SELECT array_agg(id) INTO v_depended FROM tensile.job WHERE id = ANY(v_depended) AND state = 0;
    UPDATE tensile.dependency d SET pending = false, outcome = f.state FROM unnest(p_ids, p_states) AS f(id, state)
      WHERE d.job = ANY(v_depended) AND d.on_job = f.id AND d.pending;
    SELECT array_agg(l.job ORDER BY l.job), array_agg(l.cause ORDER BY l.job) INTO lost, causes FROM (
      SELECT DISTINCT ON (d.job) d.job, d.on_job AS cause
      FROM unnest(p_ids, p_states) AS f(id, state) JOIN tensile.dependency d ON d.on_job = f.id JOIN tensile.job j ON j.id = d.job
      WHERE f.state <> 10 AND j.dep_mode = 1 AND j.state = 0 AND d.job = ANY(v_depended) ORDER BY d.job, d.ord
    ) AS l;
    PERFORM tensile.rows_unblock(p_now, ARRAY(SELECT unnest(v_depended) EXCEPT SELECT unnest(lost)));
  END IF;
  IF v_keys IS NOT NULL THEN PERFORM tensile.rows_freed_keys(p_now, v_names, v_keys); END IF;
END $$;

-- Keys of jobs that ended or were cancelled: whoever waits behind them may go on.
CREATE FUNCTION tensile.rows_freed_keys(p_now bigint, p_names int[], p_keys bytea[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_names int[]; v_keys bytea[];
BEGIN
  SELECT array_agg(u.n), array_agg(u.k) INTO v_names, v_keys FROM (SELECT DISTINCT n, k FROM unnest(p_names, p_keys) AS u(n, k)) AS u
    WHERE EXISTS (SELECT 1 FROM tensile.job j WHERE j.state = 5 AND j.name_id = u.n AND j.key = u.k);
  IF v_keys IS NULL THEN RETURN; END IF;
  PERFORM tensile.rows_lock_keys(v_names, v_keys);
  PERFORM tensile.rows_admit(p_now, v_names, v_keys);
END $$;

-- The newest errors stay.
CREATE FUNCTION tensile.rows_errors(known bytea[], added bytea) RETURNS bytea[] LANGUAGE sql IMMUTABLE AS $$
  SELECT (coalesce(known, '{}') || added)[greatest(1, coalesce(cardinality(known), 0) - 30):]
$$;

-- Keys of jobs in the history: free, or held by their window alone.
CREATE FUNCTION tensile.rows_free_uniques(p_now bigint, p_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tensile.unique_key q SET free_at = h.unique_window FROM tensile.history h
    WHERE h.id = ANY(p_ids) AND q.scope = h.unique_scope AND q.key = h.unique_key AND q.job = h.id AND h.unique_window > p_now;
  DELETE FROM tensile.unique_key q USING tensile.history h
    WHERE h.id = ANY(p_ids) AND q.scope = h.unique_scope AND q.key = h.unique_key AND q.job = h.id AND coalesce(h.unique_window, 0) <= p_now;
END $$;
`;
