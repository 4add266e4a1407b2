/** Reading, counting, and what keeps the tables small: retention, the slots of the history, the folding of counts. */
import { historySlots, tallySlot, tallySlots } from "./tables.ts";

const slotRange = Object.values(historySlots)
  .map(([from, to], index) => `(${10 + index}, ${from}, ${to})`)
  .join(", ");

/** The part that the functions of finishing need to be there already. */
export const rowViews = `
-- What retention keeps of the history. Below a state's floor nothing is there any more; its slots are emptied as a whole when all of it is below.
CREATE VIEW tensile.rows_kept AS
  SELECT h.* FROM tensile.history h JOIN tensile.shelf s ON s.state = h.state WHERE h.done > s.floor;
`;

export const rowReads = `
-- As a reader sees it, a job that is due is ready: whether a turn has promoted it yet is nobody's business.
CREATE FUNCTION tensile.rows_seen(p_state smallint, p_due bigint) RETURNS smallint LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN p_state IN (1, 2) AND p_due <= tensile.now() THEN 3::smallint ELSE p_state END
$$;

CREATE VIEW tensile.rows_live AS SELECT j.id, j.name_id, tensile.rows_seen(j.state, j.due) AS state, j.priority, j.attempt, j.enqueued_at, j.due, j.unique_key, j.key,
  j.tenant, j.progress, j.context, j.payload, j.errors FROM tensile.job j;

CREATE VIEW tensile.rows_all AS
  SELECT j.id, j.name_id, j.state, j.priority, j.attempt, j.enqueued_at, j.due, NULL::bigint AS finished_at, j.unique_key, j.key, j.tenant, j.progress,
    j.context, j.payload, NULL::bytea AS result, j.errors FROM tensile.rows_live j
  UNION ALL
  SELECT k.id, k.name_id, k.state, k.priority, k.attempt, k.enqueued_at, NULL, k.finished_at, k.unique_key, k.key, k.tenant, k.progress,
    k.context, k.payload, k.result, k.errors FROM tensile.rows_kept k;

CREATE FUNCTION tensile.rows_records(p_ids bigint[]) RETURNS SETOF tensile.rows_all LANGUAGE sql STABLE AS $$ SELECT a.* FROM tensile.rows_all a WHERE a.id = ANY(p_ids) $$;

-- Those that are due and not promoted yet, by what they are tallied as; since when the oldest is due.
CREATE FUNCTION tensile.rows_due(p_names text[]) RETURNS TABLE (waiting bigint, scheduled bigint, since bigint) LANGUAGE sql STABLE AS $$
  SELECT count(*) FILTER (WHERE j.state = 1), count(*) FILTER (WHERE j.state = 2), min(j.due) FROM tensile.job j
  WHERE j.state IN (1, 2) AND j.due <= (SELECT tensile.now()) AND (p_names IS NULL OR j.name_id IN (SELECT n.id FROM tensile.name n WHERE n.name = ANY(p_names)))
$$;

-- What is added up, of rows and blocks. The lock keeps partitions from being emptied between the snapshot and the look: what follows it has a snapshot of its own.
CREATE FUNCTION tensile.tally_sums(p_names text[], OUT waiting bigint, OUT scheduled bigint, OUT ready bigint, OUT running bigint) LANGUAGE plpgsql
  SET enable_seqscan = on SET max_parallel_workers_per_gather = 0 AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE tensile.tally IN ACCESS SHARE MODE;
  SELECT coalesce(sum(t.waiting), 0), coalesce(sum(t.scheduled), 0), coalesce(sum(t.ready), 0), coalesce(sum(t.running), 0)
    INTO tally_sums.waiting, tally_sums.scheduled, tally_sums.ready, tally_sums.running
    FROM tensile.tally t WHERE p_names IS NULL OR t.name_id IN (SELECT n.id FROM tensile.name n WHERE n.name = ANY(p_names));
END $$;

CREATE FUNCTION tensile.rows_counts(p_name text) RETURNS TABLE (waiting bigint, scheduled bigint, ready bigint, running bigint, succeeded bigint, failed bigint,
  cancelled bigint) LANGUAGE sql AS $$
  SELECT t.waiting - u.waiting, t.scheduled - u.scheduled, t.ready + u.waiting + u.scheduled, t.running, d.succeeded, d.failed, d.cancelled
  FROM (SELECT count(*) FILTER (WHERE k.state = 10) AS succeeded, count(*) FILTER (WHERE k.state = 11) AS failed, count(*) FILTER (WHERE k.state = 12) AS cancelled
      FROM tensile.rows_kept k WHERE p_name IS NULL OR k.name_id = (SELECT n.id FROM tensile.name n WHERE n.name = p_name)) AS d
  CROSS JOIN tensile.rows_due(CASE WHEN p_name IS NOT NULL THEN ARRAY[p_name] END) AS u
  CROSS JOIN tensile.tally_sums(CASE WHEN p_name IS NOT NULL THEN ARRAY[p_name] END) AS t
$$;

CREATE FUNCTION tensile.rows_unstarted(p_names text[]) RETURNS TABLE (unstarted bigint, ready bigint) LANGUAGE sql AS $$
  SELECT t.waiting + t.scheduled + t.ready, t.ready FROM tensile.tally_sums(p_names) AS t
$$;

-- The oldest of the claim index's heads and of the parked: exact where turns follow age, else the head's own age. Bounded work.
CREATE FUNCTION tensile.rows_backlog(p_names text[]) RETURNS TABLE (unstarted bigint, ready bigint, ready_since bigint) LANGUAGE sql AS $$
  SELECT u.unstarted, u.ready + d.waiting + d.scheduled, least(d.since, (
    SELECT min(r.ready_at) FROM tensile.name n CROSS JOIN LATERAL (
      (SELECT h.ready_at FROM generate_series(0, 9) AS p CROSS JOIN LATERAL (
        SELECT j.ready_at FROM tensile.job j WHERE j.state = 3 AND j.name_id = n.id AND j.priority = p ORDER BY j.turn, j.place LIMIT 20) AS h)
      UNION ALL (SELECT j.ready_at FROM tensile.job j WHERE j.state = 6 AND j.name_id = n.id ORDER BY j.place LIMIT 20)
      UNION ALL (SELECT j.ready_at FROM tensile.job j WHERE j.state = 5 AND j.name_id = n.id LIMIT 100)
    ) AS r WHERE n.name = ANY(p_names)
  )) FROM tensile.rows_unstarted(p_names) AS u CROSS JOIN tensile.rows_due(p_names) AS d
$$;

-- Those that are finished (or gone: state null) of the jobs that somebody waits for.
CREATE FUNCTION tensile.rows_ended(p_ids bigint[]) RETURNS TABLE (id bigint, gone boolean) LANGUAGE sql STABLE AS $$
  SELECT u.id, NOT EXISTS (SELECT 1 FROM tensile.rows_kept k WHERE k.id = u.id) FROM unnest(p_ids) AS u(id)
  WHERE NOT EXISTS (SELECT 1 FROM tensile.job j WHERE j.id = u.id)
$$;

CREATE FUNCTION tensile.rows_dependencies(p_id bigint) RETURNS TABLE (id text, name text, state smallint, result bytea) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT coalesce(d.named, d.on_job::text), coalesce(n.name, b.name), coalesce(d.outcome, a.state, b.state),
      coalesce(a.result, convert_to(b.result, 'UTF8'))
    FROM tensile.dependency d LEFT JOIN tensile.rows_all a ON a.id = d.on_job LEFT JOIN tensile.name n ON n.id = a.name_id
    LEFT JOIN LATERAL tensile.blocks_get(d.on_job) AS b ON a.id IS NULL WHERE d.job = p_id ORDER BY d.ord;
END $$;

-- Folds the counts' deltas, partition by partition: one that a transaction under way has added to, or that is being read, is left for later. Then the next partition takes
-- what comes, where this one has enough for a fold.
CREATE FUNCTION tensile.rows_fold() RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_slot int := ${tallySlot}; v_any boolean; v_rows int; v_folded int := 0;
BEGIN
  FOR i IN 0..${tallySlots - 1} LOOP
    CONTINUE WHEN i = v_slot;
    EXECUTE format('SELECT EXISTS (SELECT FROM tensile.tally_%s)', i) INTO v_any;
    CONTINUE WHEN NOT v_any;
    BEGIN
      EXECUTE format('LOCK TABLE ONLY tensile.tally_%s IN ACCESS EXCLUSIVE MODE NOWAIT', i);
      EXECUTE format('INSERT INTO tensile.tally SELECT $1, name_id, sum(waiting), sum(scheduled), sum(ready), sum(running) FROM tensile.tally_%s GROUP BY name_id', i)
        USING v_slot::smallint;
      EXECUTE format('TRUNCATE TABLE ONLY tensile.tally_%s', i);
      v_folded := v_folded + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  EXECUTE format('SELECT count(*) FROM (SELECT FROM tensile.tally_%s LIMIT 256) AS t', v_slot) INTO v_rows;
  EXECUTE format('SELECT EXISTS (SELECT FROM tensile.tally_%s)', (v_slot + 1) % ${tallySlots}) INTO v_any;
  IF v_rows >= 256 AND NOT v_any THEN PERFORM nextval('tensile.tally_turn'); END IF;
  RETURN v_folded;
END $$;

-- Raises the floor of the failed or the cancelled over what is too old or too many: up to p_limit jobs, oldest first. Nothing is deleted row by row.
CREATE FUNCTION tensile.rows_prune(p_state smallint, p_age bigint, p_count bigint, p_limit int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now(); v_floor bigint; v_have bigint; v_extra bigint := 0; v_new bigint; v_removed int; v_last bigint;
BEGIN
  SELECT floor INTO v_floor FROM tensile.shelf WHERE state = p_state FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  SELECT CASE p_state WHEN 11 THEN (SELECT last_value FROM tensile.done_failed) ELSE (SELECT last_value FROM tensile.done_cancelled) END INTO v_last;
  -- Numbers have gaps, so there are at most as many as the last number is above the floor.
  IF v_last - v_floor > p_count THEN
    SELECT count(*) INTO v_have FROM tensile.history WHERE state = p_state AND done > v_floor;
    v_extra := greatest(0, v_have - p_count);
  END IF;
  SELECT max(done), count(*) INTO v_new, v_removed FROM (
    SELECT done, bool_and(nth <= v_extra OR finished_at <= v_now - p_age) OVER (ORDER BY nth) AS goes FROM (
      SELECT done, finished_at, row_number() OVER (ORDER BY done) AS nth FROM tensile.history WHERE state = p_state AND done > v_floor ORDER BY done LIMIT p_limit
    ) AS oldest
  ) AS prefix WHERE goes;
  IF v_removed > 0 THEN UPDATE tensile.shelf SET floor = v_new WHERE state = p_state; END IF;
  RETURN v_removed;
END $$;

CREATE FUNCTION tensile.rows_prune_all(p_age_11 bigint, p_count_11 bigint, p_age_12 bigint, p_count_12 bigint, p_limit int)
  RETURNS int LANGUAGE sql AS $$
  SELECT tensile.rows_prune(11::smallint, p_age_11, p_count_11, p_limit)
    + tensile.rows_prune(12::smallint, p_age_12, p_count_12, p_limit)
$$;

-- Keeps the ring of a state's slots going: the next slot takes over when this one holds its share, and a slot of which nothing is kept is emptied.
-- TRUNCATE wants its slot for itself: it waits a moment at most, and is tried again later.
CREATE FUNCTION tensile.rows_rotate(p_state smallint, p_age bigint, p_count bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now(); s tensile.shelf; r record; v_first int; v_end int; v_rows bigint; v_kept boolean; v_emptied int := 0; v_any boolean;
BEGIN
  SELECT * INTO s FROM tensile.shelf WHERE state = p_state FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  SELECT lo, hi INTO v_first, v_end FROM (VALUES ${slotRange}) AS v(st, lo, hi) WHERE st = p_state;
  PERFORM set_config('lock_timeout', '50ms', true);
  FOR r IN SELECT x AS slot FROM generate_series(v_first, v_end - 1) AS x WHERE x <> s.slot LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM tensile.history_%s), EXISTS (SELECT 1 FROM tensile.history_%s WHERE done > $1)', r.slot, r.slot)
      INTO v_any, v_kept USING s.floor;
    IF v_any AND NOT v_kept THEN
      BEGIN
        EXECUTE format('LOCK TABLE ONLY tensile.history_%s IN ACCESS EXCLUSIVE MODE', r.slot);
        EXECUTE format('DELETE FROM tensile.note n USING tensile.history_%s h WHERE h.noted AND n.job = h.id', r.slot);
        EXECUTE format('DELETE FROM tensile.dependency d USING tensile.history_%s h WHERE h.depends AND d.job = h.id', r.slot);
        EXECUTE format('TRUNCATE TABLE ONLY tensile.history_%s', r.slot);
        v_emptied := v_emptied + 1;
      EXCEPTION WHEN lock_not_available THEN NULL;
      END;
    END IF;
  END LOOP;
  SELECT CASE p_state WHEN 10 THEN (SELECT last_value FROM tensile.outcome_number) WHEN 11 THEN (SELECT last_value FROM tensile.done_failed)
    ELSE (SELECT last_value FROM tensile.done_cancelled) END - s.opened INTO v_rows;
  IF v_rows > 0 AND (v_rows >= greatest(1000, p_count / (v_end - v_first - 2)) OR v_now - s.opened_at >= greatest(1000, p_age / (v_end - v_first - 2))) THEN
    SELECT CASE WHEN s.slot + 1 >= v_end THEN v_first ELSE s.slot + 1 END AS slot INTO r;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM tensile.history_%s)', r.slot) INTO v_any;
    IF NOT v_any THEN UPDATE tensile.shelf SET slot = r.slot, opened = opened + v_rows, opened_at = v_now WHERE state = p_state; END IF;
  END IF;
  RETURN v_emptied;
END $$;

CREATE FUNCTION tensile.rows_rotate_all(p_age_10 bigint, p_count_10 bigint, p_age_11 bigint, p_count_11 bigint, p_age_12 bigint, p_count_12 bigint)
  RETURNS int LANGUAGE sql AS $$
  SELECT tensile.rows_rotate(10::smallint, p_age_10, p_count_10) + tensile.rows_rotate(11::smallint, p_age_11, p_count_11)
    + tensile.rows_rotate(12::smallint, p_age_12, p_count_12)
$$;

-- Small things that nobody needs any more, a bounded number at a time.
CREATE FUNCTION tensile.rows_sweep() RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now(); v_names int[]; v_keys bytea[];
BEGIN
  DELETE FROM tensile.unique_key WHERE (scope, key) IN (SELECT scope, key FROM tensile.unique_key WHERE free_at <= v_now LIMIT 1000 FOR UPDATE SKIP LOCKED);
  -- A key whose parked jobs may start although nobody called them (a limit was raised, say): seldom, and never for long.
  SELECT array_agg(name_id), array_agg(key) INTO v_names, v_keys FROM (SELECT DISTINCT name_id, key FROM tensile.job WHERE state = 5 LIMIT 1000) AS k;
  IF v_keys IS NOT NULL THEN
    PERFORM tensile.rows_lock_keys(v_names, v_keys);
    PERFORM tensile.rows_admit(v_now, v_names, v_keys);
  END IF;
  DELETE FROM tensile.key_state WHERE (name_id, key) IN (
    SELECT k.name_id, k.key FROM tensile.key_state k WHERE k.running = 0 AND k.tat <= v_now AND k.free_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM tensile.job j WHERE j.state = 5 AND j.name_id = k.name_id AND j.key = k.key) LIMIT 1000 FOR UPDATE SKIP LOCKED);
  DELETE FROM tensile.tenant WHERE (name_id, priority, tenant) IN (
    SELECT t.name_id, t.priority, t.tenant FROM tensile.tenant t JOIN tensile.lane l USING (name_id, priority) WHERE t.turn <= l.turn LIMIT 1000 FOR UPDATE OF t SKIP LOCKED);
END $$;

-- A process that starts beside an empty queue keeps the plans of that moment: they must be those of a full one. (And no compiling of plans for it.)
ALTER FUNCTION tensile.rows_enqueue SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_turn SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_settle SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_rescue SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_cancel SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_retry SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_signal SET enable_seqscan = off SET jit = off;
ALTER FUNCTION tensile.rows_sweep SET enable_seqscan = off SET jit = off;
`;
