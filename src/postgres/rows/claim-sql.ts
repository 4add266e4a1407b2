/**
 * Claims. Per name: a scan of the claim index in its order, as far as there is credit. What may not start because of its key is parked when the scan
 * meets it, once, and comes back when a slot of that key is free: so a key with 100,000 jobs is in nobody's way, and enqueueing needs no lock.
 */
/** Keys of rows that a turn tells of one name: with so many it is not known which others there are. */
export const toldRowKeys = 65;

export const rowClaim = `
-- What a fleet's processes say about a name. Where a key limit was lifted, what it had parked comes back.
CREATE FUNCTION tensile.rows_policy(p_name text, p_ageing float8, p_per_key boolean, p_concurrency int, p_limit int, p_interval float8, p_ordered boolean,
  p_gates text[], p_gate_concurrency int[], p_gate_limit int[], p_gate_interval float8[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_old tensile.name; v_gates text[] := nullif(p_gates, '{}');
BEGIN
  INSERT INTO tensile.gate (id) SELECT DISTINCT g FROM unnest(p_gates) AS g WHERE NOT EXISTS (SELECT 1 FROM tensile.gate x WHERE x.id = g) ORDER BY g ON CONFLICT DO NOTHING;
  UPDATE tensile.gate g SET concurrency = u.c, rate_limit = u.l, rate_interval = u.i
    FROM unnest(p_gates, p_gate_concurrency, p_gate_limit, p_gate_interval) AS u(id, c, l, i)
    WHERE g.id = u.id AND (g.concurrency, g.rate_limit, g.rate_interval) IS DISTINCT FROM (u.c, u.l, u.i);
  SELECT * INTO v_old FROM tensile.name WHERE name = p_name FOR UPDATE;
  IF (v_old.ageing_ms, v_old.per_key, v_old.key_concurrency, v_old.key_limit, v_old.key_interval, v_old.key_ordered, v_old.gates)
    IS NOT DISTINCT FROM (p_ageing, p_per_key, p_concurrency, p_limit, p_interval, p_ordered, v_gates) THEN RETURN; END IF;
  UPDATE tensile.name SET ageing_ms = p_ageing, per_key = p_per_key, key_concurrency = p_concurrency, key_limit = p_limit, key_interval = p_interval,
    key_ordered = p_ordered, gates = v_gates WHERE name = p_name;
  IF p_per_key THEN PERFORM tensile.keyed_begin(v_old.id); END IF;
  UPDATE tensile.job SET state = 3 WHERE id IN (SELECT id FROM tensile.job WHERE state = 5 AND name_id = v_old.id FOR UPDATE SKIP LOCKED);
END $$;

-- Turns of tenants: each job gets the turn after its tenant's last one, and no earlier than the lane has come.
CREATE FUNCTION tensile.rows_place(p_name int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[];
BEGIN
  IF NOT EXISTS (SELECT 1 FROM tensile.job WHERE state = 6 AND name_id = p_name) THEN RETURN; END IF;
  INSERT INTO tensile.lane (name_id, priority) SELECT p_name, p FROM generate_series(0, 9) AS p ON CONFLICT DO NOTHING;
  PERFORM 1 FROM tensile.lane WHERE name_id = p_name ORDER BY priority FOR UPDATE;
  SELECT array_agg(id) INTO v_ids FROM (SELECT id FROM tensile.job WHERE state = 6 AND name_id = p_name ORDER BY place LIMIT 5000 FOR UPDATE SKIP LOCKED) AS u;
  IF v_ids IS NULL THEN RETURN; END IF;
  UPDATE tensile.job j SET state = 3, turn = t.turn
  FROM (
    SELECT w.id, greatest(l.turn, coalesce(t.turn, 0)) + row_number() OVER (PARTITION BY w.priority, w.tenant ORDER BY w.place) AS turn
    FROM (SELECT id, priority, coalesce(tenant, '') AS tenant, place FROM tensile.job WHERE id = ANY(v_ids)) AS w
    JOIN tensile.lane l ON l.name_id = p_name AND l.priority = w.priority
    LEFT JOIN tensile.tenant t ON t.name_id = p_name AND t.priority = w.priority AND t.tenant = w.tenant
  ) AS t WHERE j.id = t.id;
  INSERT INTO tensile.tenant (name_id, priority, tenant, turn)
    SELECT p_name, priority, coalesce(tenant, ''), max(turn) FROM tensile.job WHERE id = ANY(v_ids) GROUP BY 2, 3
    ON CONFLICT (name_id, priority, tenant) DO UPDATE SET turn = EXCLUDED.turn;
END $$;

-- The next ready jobs of a name, locked, most urgent first. Ageing: the heads of the lanes are compared by how urgent their waiting has made them.
CREATE FUNCTION tensile.rows_next(p_now bigint, p_name int, p_ageing float8, p_limit int, p_most int, p_before bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[];
BEGIN
  IF p_ageing IS NULL THEN
    SELECT array_agg(id) INTO v_ids FROM (
      SELECT id FROM tensile.job WHERE state = 3 AND name_id = p_name AND (priority, turn, place) < (p_most, 0, p_before) ORDER BY priority, turn, place LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) AS r;
  ELSE
    SELECT array_agg(j.id ORDER BY a.ord) INTO v_ids FROM (
      SELECT r.id, row_number() OVER (ORDER BY r.priority - floor((p_now - r.ready_at) / p_ageing), r.priority, r.turn, r.place) AS ord
      FROM generate_series(0, 9) AS p CROSS JOIN LATERAL (
        SELECT id, priority, turn, place, ready_at FROM tensile.job WHERE state = 3 AND name_id = p_name AND priority = p ORDER BY turn, place LIMIT p_limit
      ) AS r ORDER BY ord LIMIT p_limit
    ) AS a JOIN (
      SELECT id FROM tensile.job WHERE state = 3 AND name_id = p_name AND id IN (
        SELECT r.id FROM generate_series(0, 9) AS p CROSS JOIN LATERAL (
          SELECT id, priority, turn, place, ready_at FROM tensile.job WHERE state = 3 AND name_id = p_name AND priority = p ORDER BY turn, place LIMIT p_limit
        ) AS r ORDER BY r.priority - floor((p_now - r.ready_at) / p_ageing), r.priority, r.turn, r.place LIMIT p_limit
      ) FOR UPDATE SKIP LOCKED
    ) AS j ON j.id = a.id;
  END IF;
  RETURN v_ids;
END $$;

-- Of locked candidates: those that their keys let start now. The others are parked.
CREATE FUNCTION tensile.rows_sift(p_now bigint, n tensile.name, p_ids bigint[], p_room int, p_epoch bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_names int[]; v_keys bytea[]; v_take bigint[]; v_park bigint[];
BEGIN
  SELECT array_agg(n.id), array_agg(key) INTO v_names, v_keys FROM (
    -- OFFSET 0: by id, never along the index of keys.
    SELECT DISTINCT key FROM (SELECT key FROM tensile.job WHERE id = ANY(p_ids) OFFSET 0) AS c WHERE key IS NOT NULL) AS k;
  IF v_keys IS NULL THEN RETURN p_ids[:p_room]; END IF;
  PERFORM tensile.keyed_to_rows(n.id, v_keys, p_epoch);
  PERFORM tensile.rows_lock_keys(v_names, v_keys);
  SELECT array_agg(s.id ORDER BY s.ord) FILTER (WHERE s.go), array_agg(s.id) FILTER (WHERE NOT s.go) INTO v_take, v_park FROM (
    SELECT c.id, c.ord, j.key IS NULL OR (
      row_number() OVER (PARTITION BY j.key ORDER BY CASE WHEN n.key_ordered THEN j.id ELSE c.ord END)
        <= tensile.rows_room(k.running, CASE WHEN n.key_ordered THEN 1 ELSE n.key_concurrency END, k.tat, n.key_limit, n.key_interval, p_now)
      AND (NOT n.key_ordered OR j.id = (SELECT h.id FROM tensile.job h WHERE h.name_id = n.id AND h.key = j.key ORDER BY h.id LIMIT 1))) AS go
    FROM unnest(p_ids) WITH ORDINALITY AS c(id, ord) JOIN tensile.job j ON j.id = c.id
    LEFT JOIN tensile.key_state k ON k.name_id = n.id AND k.key = j.key
    WHERE j.key IS NULL OR k.key IS NOT NULL
  ) AS s;
  v_take := v_take[:p_room];
  IF v_park IS NOT NULL THEN UPDATE tensile.job SET state = 5 WHERE id = ANY(v_park); END IF;
  UPDATE tensile.key_state k SET running = k.running + u.n,
      tat = CASE WHEN n.key_limit IS NULL THEN k.tat ELSE greatest(least(k.tat, p_now + n.key_interval * n.key_limit), p_now) + u.n * n.key_interval END
    FROM (SELECT key, count(*)::int AS n FROM (SELECT key FROM tensile.job WHERE id = ANY(v_take) OFFSET 0) AS c WHERE key IS NOT NULL GROUP BY key) AS u
    WHERE k.name_id = n.id AND k.key = u.key;
  IF n.key_limit IS NOT NULL THEN PERFORM tensile.rows_mark_free(p_now, v_names, v_keys); END IF;
  RETURN v_take;
END $$;

-- Claims up to so many jobs of one name. p_bytes: of payloads, unless a single one is larger.
CREATE FUNCTION tensile.rows_claim_name(p_now bigint, n tensile.name, p_credit int, p_epoch bigint, p_claim bigint, p_bytes bigint, p_most int, p_before bigint) RETURNS bigint[]
  LANGUAGE plpgsql AS $$
DECLARE v_room int := p_credit; v_ids bigint[]; v_got bigint[]; v_all bigint[] := '{}'; v_tired boolean := false;
BEGIN
  IF n.gates IS NOT NULL THEN
    IF NOT EXISTS (SELECT 1 FROM tensile.job j WHERE j.name_id = n.id AND j.state = 3) THEN RETURN v_all; END IF;
    -- Locked already, unless the first of its jobs came in this moment.
    PERFORM 1 FROM tensile.gate WHERE id = ANY(n.gates) ORDER BY id FOR UPDATE;
    SELECT least(p_credit, min(tensile.rows_room(running, concurrency, tat, rate_limit, rate_interval, p_now))) INTO v_room FROM tensile.gate WHERE id = ANY(n.gates);
  END IF;
  FOR round IN 1..20 LOOP
    EXIT WHEN v_room <= 0;
    -- After a round that found blocked keys the next one looks further, so that many parked jobs take few rounds.
    v_ids := tensile.rows_next(p_now, n.id, n.ageing_ms, v_room + CASE WHEN n.per_key AND round > 1 THEN 200 ELSE 0 END, p_most, p_before);
    EXIT WHEN v_ids IS NULL;
    SELECT array_agg(id ORDER BY ord) INTO v_got FROM (
      SELECT u.id, u.ord, sum(octet_length(j.payload)) OVER (ORDER BY u.ord) AS size FROM unnest(v_ids) WITH ORDINALITY AS u(id, ord) JOIN tensile.job j ON j.id = u.id
    ) AS s WHERE size <= p_bytes OR ord = 1;
    IF n.per_key THEN v_got := tensile.rows_sift(p_now, n, v_got, v_room, p_epoch); END IF;
    v_all := v_all || coalesce(v_got, '{}');
    v_room := v_room - coalesce(cardinality(v_got), 0);
    IF v_got IS NOT NULL THEN
      UPDATE tensile.job SET state = 4, attempt = attempt + 1, epoch = p_epoch, claim = p_claim, gates = n.gates, held = n.per_key AND key IS NOT NULL,
        ready_at = NULL WHERE id = ANY(v_got);
    END IF;
    EXIT WHEN NOT n.per_key;
    v_tired := round = 20 AND v_room > 0;
  END LOOP;
  IF n.gates IS NOT NULL AND cardinality(v_all) > 0 THEN
    UPDATE tensile.gate SET running = running + cardinality(v_all),
      tat = CASE WHEN rate_limit IS NULL THEN tat ELSE greatest(least(tat, p_now + rate_interval * rate_limit), p_now) + cardinality(v_all) * rate_interval END WHERE id = ANY(n.gates);
  END IF;
  IF n.fair AND cardinality(v_all) > 0 THEN
    UPDATE tensile.lane l SET turn = m.turn FROM (SELECT priority, max(turn) AS turn FROM tensile.job WHERE id = ANY(v_all) GROUP BY 1) AS m
      WHERE l.name_id = n.id AND l.priority = m.priority AND l.turn < m.turn;
  END IF;
  -- No job has the id 0: there are more candidates than one turn sifts.
  RETURN CASE WHEN v_tired THEN v_all || 0::bigint ELSE v_all END;
END $$;

-- p_most, p_before: per name, only what comes before this priority and place is claimed; 10, 0: everything.
-- One turn: what is due becomes ready, then jobs are claimed. Rows of kind 0 are claimed jobs, in order; 1: asked to stop, of this epoch;
-- 2: ended with others; 3: (enqueued_at) the number of these claims, when (due) there is something to do again, and whether (attempt 1) there was more than one turn can do.
CREATE FUNCTION tensile.rows_turn(p_epoch bigint, p_claim bigint, p_names int[], p_credits int[], p_bytes bigint, p_durable boolean, p_most int[], p_before bigint[])
  RETURNS TABLE (kind smallint, id bigint, name_id int, priority smallint, attempt int, enqueued_at bigint, due bigint, noted boolean, key bytea, tenant bytea,
    context bytea, payload bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := tensile.now(); v_lost bigint[]; v_all bigint[] := '{}'; v_more boolean; v_wake float8; v_names int[]; v_keys bytea[]; r record;
BEGIN
  PERFORM tensile.assert_alive(p_epoch, p_claim);
  IF NOT p_durable THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
  v_more := tensile.rows_promote(v_now) >= 2000;
  PERFORM 1 FROM tensile.gate WHERE id IN (
    SELECT unnest(m.gates) FROM tensile.name m WHERE m.id = ANY(p_names) AND NOT m.paused AND EXISTS (
      SELECT 1 FROM tensile.job j WHERE j.name_id = m.id AND j.state = 3
      UNION ALL SELECT 1 FROM tensile.job j WHERE j.name_id = m.id AND j.state = 6
    )
  ) ORDER BY id FOR UPDATE;
  -- Whoever claims jobs with keys, of rows or of blocks, holds their name.
  PERFORM 1 FROM tensile.keyed k WHERE k.name_id = ANY(p_names) AND EXISTS (SELECT 1 FROM tensile.job j WHERE j.name_id = k.name_id AND j.state = 3) ORDER BY k.name_id FOR UPDATE;
  v_lost := tensile.rows_verify(v_now, NULL);
  SELECT array_agg(k.name_id), array_agg(k.key) INTO v_names, v_keys
    FROM (SELECT name_id, key FROM tensile.key_state WHERE free_at <= v_now ORDER BY free_at LIMIT 500) AS k;
  IF v_keys IS NOT NULL THEN
    PERFORM tensile.rows_lock_keys(v_names, v_keys);
    PERFORM tensile.rows_admit(v_now, v_names, v_keys);
    v_more := v_more OR cardinality(v_keys) >= 500;
  END IF;
  FOR r IN SELECT m.id FROM tensile.name m WHERE m.id = ANY(p_names) AND m.fair AND NOT m.paused ORDER BY m.id LOOP
    PERFORM tensile.rows_place(r.id);
  END LOOP;
  -- Names that share a gate: none is always the first.
  FOR r IN SELECT m AS n, u.credit, u.most, u.before FROM unnest(p_names, p_credits, p_most, p_before) AS u(id, credit, most, before) JOIN tensile.name m ON m.id = u.id
    WHERE u.credit > 0 AND NOT m.paused ORDER BY CASE WHEN m.gates IS NULL THEN m.id END, random() LOOP
    v_all := v_all || tensile.rows_claim_name(v_now, r.n, r.credit, p_epoch, p_claim, p_bytes, r.most, r.before);
  END LOOP;
  v_more := v_more OR 0 = ANY(v_all);
  IF cardinality(v_all) > 0 AND EXISTS (SELECT 1 FROM tensile.job j WHERE j.id = ANY(v_all) AND j.unique_until = 1) THEN
    PERFORM tensile.rows_started(v_now, v_all);
  END IF;
  SELECT min(t) INTO v_wake FROM (
    SELECT (SELECT min(j.due) FROM tensile.job j WHERE j.state IN (1, 2) AND j.due IS NOT NULL)::float8 AS t
    UNION ALL SELECT (SELECT min(k.free_at) FROM tensile.key_state k WHERE k.free_at IS NOT NULL)
    UNION ALL SELECT (SELECT min(tensile.rows_free_at(g.tat, g.rate_limit, g.rate_interval, v_now)) FROM tensile.gate g WHERE g.rate_limit IS NOT NULL
      AND g.id IN (SELECT unnest(m.gates) FROM tensile.name m WHERE m.id = ANY(p_names)))
  ) AS times;
  RETURN QUERY SELECT 0::smallint, j.id, j.name_id, j.priority, j.attempt, j.enqueued_at, NULL::bigint, j.noted, j.key, j.tenant, j.context, j.payload
    FROM unnest(v_all) WITH ORDINALITY AS u(id, ord) JOIN tensile.job j ON j.id = u.id ORDER BY u.ord;
  RETURN QUERY SELECT 1::smallint, j.id, NULL::int, NULL::smallint, NULL::int, NULL::bigint, NULL::bigint, NULL::boolean, NULL::bytea, NULL::bytea, NULL::bytea,
    NULL::bytea FROM tensile.job j WHERE j.state = 4 AND j.cancel_asked AND j.epoch = p_epoch;
  RETURN QUERY SELECT 2::smallint, x, NULL::int, NULL::smallint, NULL::int, NULL::bigint, NULL::bigint, NULL::boolean, NULL::bytea, NULL::bytea, NULL::bytea,
    NULL::bytea FROM unnest(v_lost) AS x;
  -- Where some had to stay behind blocks: the priority and the place (due) of the first. Of a paused name nothing stays behind: it has to be resumed.
  RETURN QUERY SELECT 4::smallint, u.id::bigint, u.id, h.priority, NULL::int, NULL::bigint, h.place, NULL::boolean, NULL::bytea, NULL::bytea, NULL::bytea, NULL::bytea
    FROM unnest(p_names, p_most) AS u(id, most) CROSS JOIN LATERAL (
      SELECT j.priority, j.place FROM tensile.job j WHERE j.state = 3 AND j.name_id = u.id ORDER BY j.priority, j.turn, j.place LIMIT 1
    ) AS h WHERE u.most < 10 AND NOT EXISTS (SELECT 1 FROM tensile.name m WHERE m.id = u.id AND m.paused);
  -- Of names of which blocks are served ahead: whether (priority 1) it is paused, and the keys of rows that wait, so many at most.
  RETURN QUERY SELECT 5::smallint, u.id::bigint, u.id, CASE WHEN m.paused THEN 1 ELSE 0 END::smallint, NULL::int, NULL::bigint, NULL::bigint, NULL::boolean, w.key, NULL::bytea,
    NULL::bytea, NULL::bytea FROM unnest(p_names) AS u(id) JOIN tensile.keyed k ON k.name_id = u.id JOIN tensile.name m ON m.id = u.id
    LEFT JOIN LATERAL tensile.keyed_row_keys(u.id, ${toldRowKeys}) AS w(key) ON true;
  RETURN QUERY SELECT 3::smallint, v_now, NULL::int, NULL::smallint, CASE WHEN v_more THEN 1 ELSE 0 END,
    CASE WHEN cardinality(v_all) > 0 THEN tensile.next_fence() END, ceil(v_wake)::bigint, NULL::boolean,
    NULL::bytea, NULL::bytea, NULL::bytea, NULL::bytea;
END $$;

-- A key that is held until its job has started is free now, or held by its window.
CREATE FUNCTION tensile.rows_started(p_now bigint, p_ids bigint[]) RETURNS void LANGUAGE sql AS $$
  UPDATE tensile.unique_key q SET free_at = j.unique_window FROM tensile.job j
    WHERE j.id = ANY(p_ids) AND j.unique_until = 1 AND q.scope = j.unique_scope AND q.key = j.unique_key AND q.job = j.id AND j.unique_window > p_now;
  DELETE FROM tensile.unique_key q USING tensile.job j
    WHERE j.id = ANY(p_ids) AND j.unique_until = 1 AND q.scope = j.unique_scope AND q.key = j.unique_key AND q.job = j.id
      AND coalesce(j.unique_window, 0) <= p_now;
  -- It needs the key no more, whatever becomes of it.
  UPDATE tensile.job SET unique_until = 2 WHERE id = ANY(p_ids) AND unique_until = 1;
$$;
`;
