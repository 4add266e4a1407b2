/** Reading blocks, counting them, and keeping them small. */
import { blockSlots } from "./tables.ts";

export const blockReads = `
-- State of every place of a block: 3 ready, 4 running, 10 succeeded and kept; 0: not here any more.
CREATE FUNCTION tensile.blocks_states(p_slot smallint, p_seq bigint, p_n int)
  RETURNS TABLE (place int, state smallint, finished_at bigint, result text) LANGUAGE sql STABLE AS $$
  SELECT p.place, CASE WHEN o.kind = 0 AND (o.id, o.nth) > (f.floor_id, f.floor_skip) THEN 10 WHEN o.kind IS NOT NULL THEN 0
      WHEN EXISTS (SELECT FROM tensile.claim c WHERE c.slot = p_slot AND c.block = p_seq AND c.lo <= p.place AND c.hi > p.place) THEN 4 ELSE 3 END::smallint, o.at,
    CASE WHEN o.results IS NOT NULL THEN split_part(o.results, E'\\x01', o.nth::int) END
  FROM generate_series(0, p_n - 1) AS p(place)
  CROSS JOIN tensile.block_shelf f
  LEFT JOIN (SELECT o.id, o.kind, o.at, o.results, g.p AS place, g.nth FROM tensile.outcome o
      CROSS JOIN LATERAL tensile.blocks_places(o.ranges) WITH ORDINALITY AS g(p, nth) WHERE o.slot = p_slot AND o.block = p_seq) AS o ON o.place = p.place
$$;

CREATE FUNCTION tensile.blocks_list(p_name text, p_state smallint, p_after bigint, p_limit int)
  RETURNS TABLE (id bigint, name text, priority int, state smallint, at bigint, finished_at bigint, payload text, context bytea, key bytea, result text) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE v_left int := p_limit; v_n int; r record;
BEGIN
  FOR r IN SELECT b.*, m.name FROM tensile.block b JOIN tensile.name m ON m.id = b.lane / 10
    WHERE b.seq >= p_after / 512 * 512 AND (p_name IS NULL OR m.name = p_name) ORDER BY b.seq LOOP
    RETURN QUERY SELECT r.seq + s.place, r.name, r.lane % 10, s.state, r.at, CASE WHEN s.state = 10 THEN s.finished_at END,
      split_part(r.body, E'\\x01', s.place + 1), tensile.blocks_context(r.contexts, s.place), tensile.blocks_context(r.keys, s.place), CASE WHEN s.result <> '' THEN substr(s.result, 2) END
      FROM tensile.blocks_states(r.slot, r.seq, r.n) AS s
      WHERE s.state > 0 AND (p_state IS NULL OR s.state = p_state) AND r.seq + s.place > p_after ORDER BY s.place LIMIT v_left;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_left := v_left - v_n;
    EXIT WHEN v_left <= 0;
  END LOOP;
END $$;

-- Each block is read once, however many of its jobs are asked for.
CREATE FUNCTION tensile.blocks_records(p_ids bigint[])
  RETURNS TABLE (id bigint, name text, priority int, state smallint, at bigint, finished_at bigint, payload text, context bytea, key bytea, result text) LANGUAGE sql STABLE AS $$
  SELECT b.seq + s.place, m.name, b.lane % 10, s.state, b.at, CASE WHEN s.state = 10 THEN s.finished_at END, split_part(b.body, E'\\x01', s.place + 1),
    tensile.blocks_context(b.contexts, s.place), tensile.blocks_context(b.keys, s.place), CASE WHEN s.result <> '' THEN substr(s.result, 2) END
  FROM (SELECT DISTINCT u / 512 * 512 AS seq FROM unnest(p_ids) AS u) AS q JOIN tensile.block b ON b.seq = q.seq JOIN tensile.name m ON m.id = b.lane / 10
  CROSS JOIN LATERAL tensile.blocks_states(b.slot, b.seq, b.n) AS s
  WHERE b.seq + s.place = ANY(p_ids) AND s.state > 0
$$;

CREATE FUNCTION tensile.blocks_get(p_id bigint)
  RETURNS TABLE (id bigint, name text, priority int, state smallint, at bigint, finished_at bigint, payload text, context bytea, key bytea, result text) LANGUAGE sql STABLE AS $$
  SELECT * FROM tensile.blocks_records(ARRAY[p_id])
$$;

-- Per lane, the first block from there on of which a job waits, and when that was enqueued; and the same numbers as those of a look (blocks_turn), read in the same order.
CREATE FUNCTION tensile.blocks_since(p_lanes int[], p_from bigint[]) RETURNS TABLE (lane int, first bigint, at bigint, last bigint, over text, below text, run bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_last bigint; v_below text; v_over text; v_run bigint := tensile.this_run();
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO v_last FROM tensile.job_id s;
  v_below := pg_current_xact_id()::text;
  v_over := pg_snapshot_xmin(pg_current_snapshot())::text;
  RETURN QUERY SELECT u.l, h.seq, h.at, v_last, v_over, v_below, v_run
    FROM unnest(p_lanes, p_from) AS u(l, f) LEFT JOIN LATERAL (
      SELECT b.seq, b.at FROM tensile.block b CROSS JOIN LATERAL (SELECT coalesce(sum(c.hi - c.lo), 0) AS n FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq) AS d
      WHERE b.open AND (b.lane, b.seq) >= (u.l, u.f) AND b.lane <= u.l AND d.n < b.n AND b.n - d.n > (
        SELECT count(*) FROM tensile.outcome o CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p) WHERE o.slot = b.slot AND o.block = b.seq AND o.kind = 1
          AND NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq AND c.lo <= g.p AND c.hi > g.p))
      ORDER BY b.lane, b.seq LIMIT 1) AS h ON true;
END $$;

CREATE FUNCTION tensile.blocks_kept(p_names text[]) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(o.n - CASE WHEN o.id = f.floor_id THEN f.floor_skip ELSE 0 END), 0)::bigint
  FROM tensile.block_shelf f JOIN tensile.outcome o ON o.id >= f.floor_id AND o.kind = 0
  WHERE p_names IS NULL OR EXISTS (SELECT FROM tensile.block b JOIN tensile.name m ON m.id = b.lane / 10
    WHERE b.slot = o.slot AND b.seq = o.block AND m.name = ANY(p_names))
$$;

-- Raises the floor of the succeeded, in rows and in blocks, over what is too old or too many: of at most so many rows and outcomes, oldest first. Nothing is deleted row by row.
CREATE FUNCTION tensile.prune_succeeded(p_age bigint, p_count bigint, p_limit int) RETURNS bigint LANGUAGE plpgsql SET jit = off AS $$
DECLARE s tensile.block_shelf; v_floor bigint; v_old bigint := tensile.now() - p_age; v_over bigint; v_removed bigint := 0; r record;
BEGIN
  SELECT * INTO s FROM tensile.block_shelf FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  SELECT floor INTO v_floor FROM tensile.shelf WHERE state = 10 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  v_over := tensile.blocks_kept(NULL) - p_count;
  -- Numbers have gaps, so there are at most as many rows as the last number is above the floor.
  IF v_over + (SELECT last_value FROM tensile.outcome_number) - v_floor > 0 THEN
    v_over := v_over + (SELECT count(*) FROM tensile.history h WHERE h.state = 10 AND h.done > v_floor);
  END IF;
  FOR r IN SELECT * FROM (
      (SELECT o.id, o.n - CASE WHEN o.id = s.floor_id THEN s.floor_skip ELSE 0 END AS n, o.n::int AS all_n, o.at FROM tensile.outcome o
        WHERE o.id >= s.floor_id AND o.kind = 0 AND (o.id > s.floor_id OR o.n > s.floor_skip) ORDER BY o.id LIMIT p_limit)
      UNION ALL (SELECT h.done, 1, 1, h.finished_at FROM tensile.history h WHERE h.state = 10 AND h.done > v_floor ORDER BY h.done LIMIT p_limit)
    ) AS u ORDER BY u.id LIMIT p_limit LOOP
    EXIT WHEN v_removed >= v_over AND r.at > v_old;
    s.floor_id := r.id;
    IF r.at <= v_old OR v_removed + r.n <= v_over THEN
      s.floor_skip := r.all_n;
      v_removed := v_removed + r.n;
    ELSE
      s.floor_skip := r.all_n - r.n + (v_over - v_removed);
      v_removed := v_over;
      EXIT;
    END IF;
  END LOOP;
  IF v_removed > 0 THEN
    UPDATE tensile.block_shelf SET floor_id = s.floor_id, floor_skip = s.floor_skip;
    -- No row has the number of an outcome, so none is cut in two.
    UPDATE tensile.shelf SET floor = s.floor_id WHERE state = 10;
  END IF;
  RETURN v_removed;
END $$;

-- Keeps the ring of slots going. TRUNCATE wants its slot for itself: it waits a moment at most, and is tried again later.
CREATE FUNCTION tensile.blocks_rotate(p_blocks bigint, p_age bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE s tensile.block_shelf; v_now bigint := tensile.now(); v_rows bigint; v_left bigint; v_any boolean; v_emptied int := 0; v_next int; i int;
BEGIN
  SELECT * INTO s FROM tensile.block_shelf FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN 0; END IF;
  PERFORM set_config('lock_timeout', '20ms', true);
  FOR i IN 0..${blockSlots - 1} LOOP
    CONTINUE WHEN i = s.slot;
    EXECUTE format('SELECT EXISTS (SELECT FROM tensile.block_%s)', i) INTO v_any;
    CONTINUE WHEN NOT v_any OR NOT tensile.blocks_done(i, s.floor_id, s.floor_skip);
    BEGIN
      EXECUTE format('LOCK TABLE ONLY tensile.block_%1$s, ONLY tensile.claim_%1$s, ONLY tensile.outcome_%1$s IN ACCESS EXCLUSIVE MODE', i);
      -- Again, now that nobody can add to it.
      IF tensile.blocks_done(i, s.floor_id, s.floor_skip) THEN
        EXECUTE format('TRUNCATE TABLE ONLY tensile.block_%1$s, ONLY tensile.claim_%1$s, ONLY tensile.outcome_%1$s', i);
        v_emptied := v_emptied + 1;
      END IF;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  EXECUTE format('SELECT count(*) FROM tensile.block_%s', s.slot) INTO v_rows;
  IF v_rows >= p_blocks OR (v_rows > 0 AND v_now - s.opened_at >= p_age) THEN
    v_next := (s.slot + 1) % ${blockSlots};
    EXECUTE format('SELECT EXISTS (SELECT FROM tensile.block_%s)', v_next) INTO v_any;
    IF NOT v_any THEN UPDATE tensile.block_shelf SET slot = v_next, opened_at = v_now; END IF;
  END IF;
  RETURN v_emptied;
END $$;

-- Every job of the slot has ended, and none of them is kept.
CREATE FUNCTION tensile.blocks_done(p_slot int, p_floor bigint, p_skip int) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT (SELECT coalesce(sum(n), 0) FROM tensile.block WHERE slot = p_slot) = (SELECT coalesce(sum(n), 0) FROM tensile.outcome WHERE slot = p_slot)
    AND NOT EXISTS (SELECT FROM tensile.outcome o WHERE o.slot = p_slot AND o.kind = 0 AND (o.id > p_floor OR (o.id = p_floor AND o.n > p_skip)))
$$;
`;
