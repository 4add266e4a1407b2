/** Settlements, and what is done to single jobs by hand: cancel, retry, notes, signals; and the rescue of what a dead process ran. */
export const rowSettle = `
-- Gives back the slots that running jobs hold in their gates and keys.
CREATE FUNCTION tensile.rows_give_back(p_ids bigint[]) RETURNS void LANGUAGE sql AS $$
  UPDATE tensile.gate g SET running = greatest(0, g.running - u.n)
    FROM (SELECT unnest(gates) AS id, count(*)::int AS n FROM tensile.job WHERE id = ANY(p_ids) GROUP BY 1) AS u WHERE g.id = u.id;
  UPDATE tensile.key_state k SET running = greatest(0, k.running - u.n)
    FROM (SELECT name_id, key, count(*)::int AS n FROM tensile.job WHERE id = ANY(p_ids) AND held GROUP BY 1, 2) AS u
    WHERE k.name_id = u.name_id AND k.key = u.key;
$$;

-- Locks gates, keys and the jobs themselves, in that order; answers those that are still running under their fence.
CREATE FUNCTION tensile.rows_lock_running(p_ids bigint[], p_epochs bigint[], p_claims bigint[], OUT ids bigint[], OUT ords int[], OUT holds boolean)
  LANGUAGE plpgsql AS $$
DECLARE v_names int[]; v_keys bytea[]; v_gated boolean;
BEGIN
  SELECT bool_or(j.gates IS NOT NULL), array_agg(j.name_id) FILTER (WHERE j.held), array_agg(j.key) FILTER (WHERE j.held) INTO v_gated, v_names, v_keys
    FROM tensile.job j WHERE j.id = ANY(p_ids) AND j.state + 0 = 4 AND (j.held OR j.gates IS NOT NULL);
  holds := coalesce(v_gated, false) OR v_keys IS NOT NULL;
  IF v_gated THEN
    PERFORM 1 FROM tensile.gate WHERE id IN (SELECT unnest(j.gates) FROM tensile.job j WHERE j.id = ANY(p_ids) AND j.state + 0 = 4) ORDER BY id FOR UPDATE;
  END IF;
  IF v_keys IS NOT NULL THEN PERFORM tensile.rows_lock_keys(v_names, v_keys); END IF;
  PERFORM 1 FROM tensile.job WHERE id = ANY(p_ids) AND state + 0 = 4 ORDER BY id FOR UPDATE;
  -- By id alone: said otherwise, the planner goes through all that the process runs, for each of them.
  SELECT array_agg(f.id ORDER BY f.ord), array_agg(f.ord ORDER BY f.ord) INTO ids, ords FROM (
    SELECT DISTINCT ON (j.id) j.id, u.ord::int FROM unnest(p_ids, p_epochs, p_claims) WITH ORDINALITY AS u(id, epoch, claim, ord)
    JOIN tensile.job j ON j.id = u.id AND j.state + 0 = 4 AND (j.epoch, j.claim) IS NOT DISTINCT FROM (u.epoch, u.claim) ORDER BY j.id, u.ord
  ) AS f;
END $$;

-- Receipts by place: 1 settled, 0 stale. Then, with place 0, the ids of jobs that ended because one of these did.
CREATE FUNCTION tensile.rows_settle(p_blob bytea, p_ids bigint[], p_epochs bigint[], p_claims bigint[], p_to smallint[], p_run_at bigint[],
  p_result int[], p_result_len int[], p_error int[], p_error_len int[], p_signal int[], p_signal_len int[], p_again boolean[])
  RETURNS TABLE (place int, receipt smallint, id bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := tensile.now();
  v_ids bigint[]; v_ords int[]; v_holds boolean; v_others bigint[] := '{}'; v_names int[]; v_keys bytea[];
  v_done bigint[]; v_states smallint[]; v_results bytea[]; v_errors bytea[]; v_ready bigint[]; v_again int[];
BEGIN
  SELECT l.ids, l.ords, l.holds INTO v_ids, v_ords, v_holds FROM tensile.rows_lock_running(p_ids, p_epochs, p_claims) AS l;
  IF v_ids IS NOT NULL THEN
    IF v_holds THEN PERFORM tensile.rows_give_back(v_ids); END IF;
    SELECT array_agg(u.id ORDER BY o), array_agg(p_to[o] ORDER BY o), array_agg(substring(p_blob FROM p_result[o] + 1 FOR p_result_len[o]) ORDER BY o),
        array_agg(substring(p_blob FROM p_error[o] + 1 FOR p_error_len[o]) ORDER BY o)
      INTO v_done, v_states, v_results, v_errors FROM unnest(v_ids, v_ords) AS u(id, o) WHERE p_to[o] >= 10 AND p_to[o] <= 12;
    IF coalesce(cardinality(v_done), 0) < cardinality(v_ids) THEN
      SELECT array_agg(j.name_id), array_agg(j.key) INTO v_names, v_keys FROM tensile.job j WHERE j.id = ANY(v_ids) AND j.held;
      UPDATE tensile.job j SET
        state = CASE u.t WHEN 3 THEN 3 WHEN 1 THEN 1 ELSE 2 END, attempt = j.attempt - CASE u.t WHEN 2 THEN 0 ELSE 1 END, held = false, gates = NULL,
        cancel_asked = false, due = CASE u.t WHEN 3 THEN NULL ELSE p_run_at[u.o] END, signal = substring(p_blob FROM p_signal[u.o] + 1 FOR p_signal_len[u.o]),
        ready_at = CASE u.t WHEN 3 THEN j.ready_at END,
        errors = CASE WHEN p_error[u.o] IS NULL THEN j.errors ELSE tensile.rows_errors(j.errors, substring(p_blob FROM p_error[u.o] + 1 FOR p_error_len[u.o])) END
      FROM (SELECT id, o, p_to[o] AS t FROM unnest(v_ids, v_ords) AS u(id, o) WHERE p_to[o] < 10 OR p_to[o] > 12) AS u WHERE j.id = u.id;
      SELECT array_agg(u.id ORDER BY p_run_at[o], o) INTO v_ready FROM unnest(v_ids, v_ords) AS u(id, o)
        WHERE (p_to[o] IN (2, 20) AND p_run_at[o] <= v_now)
          OR (p_to[o] = 1 AND (p_run_at[o] <= v_now OR EXISTS (SELECT 1 FROM tensile.note n WHERE n.job = u.id
            AND n.name = convert_to('signal:', 'UTF8') || substring(p_blob FROM p_signal[o] + 1 FOR p_signal_len[o]))));
      IF v_ready IS NOT NULL THEN PERFORM tensile.rows_ready(v_now, v_ready); END IF;
      IF v_keys IS NOT NULL THEN PERFORM tensile.rows_freed_keys(v_now, v_names, v_keys); END IF;
    END IF;
    IF v_done IS NOT NULL THEN v_others := tensile.rows_finish(v_now, v_done, v_states, v_results, v_errors); END IF;
  END IF;
  -- What became of those that may have been settled before without an answer: asked for these alone, by id.
  IF true = ANY(p_again) THEN
    SELECT array_agg(u.o) INTO v_again FROM unnest(p_ids, p_epochs, p_claims, p_again) WITH ORDINALITY AS u(id, epoch, claim, again, o)
      CROSS JOIN LATERAL (SELECT FROM (SELECT FROM tensile.history h WHERE h.id = u.id AND h.epoch = u.epoch AND h.claim = u.claim
        UNION ALL SELECT FROM tensile.job j WHERE j.id = u.id AND j.state + 0 <> 4 AND j.epoch = u.epoch AND j.claim = u.claim) AS x LIMIT 1) AS done WHERE u.again;
  END IF;
  RETURN QUERY SELECT o::int, CASE WHEN o = ANY(v_ords) OR o = ANY(v_again) THEN 1::smallint ELSE 0::smallint END, NULL::bigint
    FROM generate_series(1, cardinality(p_ids)) AS o
    UNION ALL SELECT 0, NULL, x FROM unnest(v_others) AS x;
END $$;

-- Of dead processes: the names of what they ran, so that the caller can say how many attempts each may have.
CREATE FUNCTION tensile.rows_running_names(p_epochs bigint[]) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT DISTINCT n.name FROM tensile.job j JOIN tensile.name n ON n.id = j.name_id WHERE j.state = 4 AND j.epoch = ANY(p_epochs)
$$;

-- Their attempts count, as CRASHED. Answers ids, whether they are finished with it, and their names (of jobs that ended because of them: none). At most 1,000 at a time: call until it answers fewer.
CREATE FUNCTION tensile.rows_rescue(p_epochs bigint[], p_names text[], p_max int[]) RETURNS TABLE (id bigint, finished boolean, crashed text)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := tensile.now(); v_ids bigint[]; v_found bigint[]; v_epochs bigint[]; v_claims bigint[]; v_out bigint[]; v_errors bytea[];
  v_names int[]; v_keys bytea[]; v_others bigint[]; v_crashed text[];
BEGIN
  SELECT array_agg(r.id), array_agg(r.epoch), array_agg(r.claim) INTO v_found, v_epochs, v_claims
    FROM (SELECT id, epoch, claim FROM tensile.job WHERE state = 4 AND epoch = ANY(p_epochs) ORDER BY id LIMIT 1000) AS r;
  IF v_found IS NULL THEN RETURN; END IF;
  SELECT l.ids INTO v_ids FROM tensile.rows_lock_running(v_found, v_epochs, v_claims) AS l;
  IF v_ids IS NULL THEN RETURN; END IF;
  PERFORM tensile.rows_give_back(v_ids);
  SELECT array_agg(n.name ORDER BY u.o) INTO v_crashed FROM unnest(v_ids) WITH ORDINALITY AS u(id, o)
    JOIN tensile.job j ON j.id = u.id JOIN tensile.name n ON n.id = j.name_id;
  SELECT array_agg(j.name_id), array_agg(j.key) INTO v_names, v_keys FROM tensile.job j WHERE j.id = ANY(v_ids) AND j.held;
  UPDATE tensile.job j SET state = 3, epoch = 0, claim = 0, held = false, gates = NULL, cancel_asked = false, ready_at = v_now,
    errors = tensile.rows_errors(j.errors, convert_to(json_build_object('attempt', j.attempt, 'at', v_now, 'code', 'CRASHED',
      'message', 'The process ended during the attempt.')::text, 'UTF8'))
    WHERE j.id = ANY(v_ids);
  SELECT array_agg(j.id ORDER BY j.id) INTO v_out FROM tensile.job j JOIN tensile.name n ON n.id = j.name_id
    JOIN unnest(p_names, p_max) AS m(name, most) ON m.name = n.name WHERE j.id = ANY(v_ids) AND j.attempt >= m.most;
  IF v_keys IS NOT NULL THEN PERFORM tensile.rows_freed_keys(v_now, v_names, v_keys); END IF;
  IF v_out IS NOT NULL THEN
    v_others := tensile.rows_finish(v_now, v_out, array_fill(11::smallint, ARRAY[cardinality(v_out)]), NULL, NULL);
  END IF;
  RETURN QUERY SELECT u.x, v_out IS NOT NULL AND u.x = ANY(v_out), u.n FROM unnest(v_ids, v_crashed) AS u(x, n) UNION ALL SELECT x, true, NULL FROM unnest(v_others) AS x;
END $$;

CREATE FUNCTION tensile.rows_cancel(p_id bigint, OUT state smallint, OUT epoch bigint, OUT others bigint[]) LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now();
BEGIN
  SELECT j.state, j.epoch INTO state, epoch FROM tensile.job j WHERE j.id = p_id FOR UPDATE;
  IF NOT FOUND THEN
    SELECT h.state INTO state FROM tensile.rows_kept h WHERE h.id = p_id;
  ELSIF state = 4 THEN
    UPDATE tensile.job j SET cancel_asked = true WHERE j.id = p_id AND NOT j.cancel_asked;
  ELSE
    others := tensile.rows_finish(v_now, ARRAY[p_id], ARRAY[12::smallint], NULL, NULL);
    state := 12;
  END IF;
END $$;

-- Failed or cancelled: again, unless another unfinished job holds its unique key.
CREATE FUNCTION tensile.rows_retry(p_id bigint, OUT state smallint) LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now(); h tensile.history; v_fair boolean;
BEGIN
  SELECT j.state INTO state FROM tensile.rows_live j WHERE j.id = p_id;
  IF FOUND THEN RETURN; END IF;
  SELECT k.* INTO h FROM tensile.history k WHERE k.id = p_id AND EXISTS (SELECT 1 FROM tensile.rows_kept v WHERE v.id = p_id) FOR UPDATE;
  state := h.state;
  IF h.state IS NULL OR h.state = 10 THEN RETURN; END IF;
  IF h.unique_key IS NOT NULL AND h.unique_until IS DISTINCT FROM 2 AND coalesce(tensile.rows_take_unique(h.unique_scope, h.unique_key, h.id, v_now), h.id) <> h.id THEN RETURN; END IF;
  IF h.unique_key IS NOT NULL AND h.unique_until IS DISTINCT FROM 2 THEN
    UPDATE tensile.unique_key q SET free_at = NULL WHERE q.scope = h.unique_scope AND q.key = h.unique_key AND q.job = h.id AND q.free_at IS NOT NULL;
  END IF;
  DELETE FROM tensile.history k WHERE k.slot = h.slot AND k.id = p_id;
  SELECT fair INTO v_fair FROM tensile.name WHERE id = h.name_id;
  state := CASE WHEN v_fair THEN 6 ELSE 3 END;
  INSERT INTO tensile.job (id, name_id, state, priority, attempt, place, enqueued_at, ready_at, unique_window, unique_until, dep_mode, noted, key, tenant,
    unique_scope, unique_key, progress, context, payload, errors)
  VALUES (h.id, h.name_id, state, h.priority, h.attempt, nextval('tensile.job_id'), h.enqueued_at, v_now, h.unique_window, h.unique_until,
    CASE WHEN h.depends THEN 2 END, h.noted, h.key, h.tenant, h.unique_scope, h.unique_key, h.progress, h.context, h.payload, h.errors);
END $$;

-- Fenced like a settlement.
CREATE FUNCTION tensile.rows_note(p_id bigint, p_epoch bigint, p_claim bigint, p_names bytea[], p_values bytea[], p_progress bytea) RETURNS boolean
  LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM tensile.job WHERE id = p_id AND state = 4 AND epoch = p_epoch AND claim = p_claim FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE tensile.job SET noted = noted OR cardinality(p_names) > 0, progress = coalesce(p_progress, progress) WHERE id = p_id;
  INSERT INTO tensile.note (job, name, value)
    SELECT p_id, n, v FROM (SELECT DISTINCT ON (n) n, v, f FROM (SELECT n, last_value(v) OVER w AS v, min(o) OVER w AS f, o FROM unnest(p_names, p_values)
      WITH ORDINALITY AS u(n, v, o) WINDOW w AS (PARTITION BY n ORDER BY o ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS w ORDER BY n, o) AS d
    ORDER BY f
    ON CONFLICT (job, name) DO UPDATE SET value = EXCLUDED.value;
  RETURN true;
END $$;

-- The first signal of a name counts; whoever waits for it goes on.
CREATE FUNCTION tensile.rows_signal(p_id bigint, p_name bytea, p_value bytea) RETURNS smallint LANGUAGE plpgsql AS $$
DECLARE v_state smallint; v_signal bytea;
BEGIN
  SELECT state, signal INTO v_state, v_signal FROM tensile.job WHERE id = p_id FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO tensile.note (job, name, value) VALUES (p_id, convert_to('signal:', 'UTF8') || p_name, p_value) ON CONFLICT DO NOTHING;
  IF FOUND THEN UPDATE tensile.job SET noted = true WHERE id = p_id AND NOT noted; END IF;
  IF v_state = 1 AND v_signal = p_name THEN
    PERFORM tensile.rows_ready(tensile.now(), ARRAY[p_id]);
    RETURN 3;
  END IF;
  RETURN (SELECT j.state FROM tensile.rows_live j WHERE j.id = p_id);
END $$;
`;
