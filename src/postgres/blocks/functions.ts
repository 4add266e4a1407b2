/** The acts of the block path, each one round trip: gather jobs into blocks, settle and claim, and give a job over to the row path. */
import { tallySlot } from "../rows/index.ts";
import { ownStates } from "../trouble.ts";

/** Of what claims nothing. */
const anyClaim = "9223372036854775807";

export const blockFunctions = `
-- The number of a transaction is taken before the numbers of its blocks: so whoever sees that all transactions up to one are over has seen their blocks.
-- p_takes: how many of the first jobs of each block this process runs itself; null: none. Answers how many it got: none where the name is paused, has limits of
-- keys, or the lease is over. p_mosts: see keyed_owned; null: nothing is claimed of names with limits per key.
CREATE FUNCTION tensile.blocks_enqueue(p_lanes int[], p_ns int[], p_bodies text, p_contexts text, p_keys text, p_takes int[], p_epoch bigint, p_claim bigint,
  p_mosts int[] DEFAULT NULL, OUT slot smallint, OUT seqs bigint[], OUT took int[], OUT made_at bigint, OUT fence bigint, OUT run bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE v_xid xid8 := pg_current_xact_id(); v_bodies text[]; v_contexts text[]; v_keys text[]; v_owned int[];
BEGIN
  -- The transaction has its number (v_xid) before its blocks have theirs: that is what a look at late commits relies on.
  made_at := tensile.now();
  -- All that is asked is one statement, and all that is written another: what a statement costs to begin is more than what it does here.
  WITH alive AS MATERIALIZED (SELECT FROM tensile.process p WHERE p.epoch = p_epoch AND NOT p.dead AND p.claims_from <= p_claim FOR KEY SHARE)
  SELECT s.slot, (SELECT array_agg(nextval('tensile.job_id')) FROM generate_series(1, cardinality(p_lanes))),
      (SELECT array_agg((SELECT CASE WHEN m.paused OR EXISTS (SELECT FROM tensile.keyed k WHERE k.name_id = m.id) THEN 0 ELSE u.t END FROM tensile.name m WHERE m.id = u.l / 10)
        ORDER BY u.o) FROM unnest(p_lanes, p_takes) WITH ORDINALITY AS u(l, t, o) WHERE p_takes IS NOT NULL AND EXISTS (SELECT FROM alive)),
      (SELECT r.run FROM tensile.server_run r)
    INTO slot, seqs, took, run FROM tensile.block_shelf s;
  v_bodies := string_to_array(p_bodies, E'\\x02');
  v_contexts := string_to_array(p_contexts, E'\\x02');
  v_keys := string_to_array(p_keys, E'\\x02');
  IF v_bodies = '{}' THEN v_bodies := ARRAY['']; END IF;
  IF p_mosts IS NOT NULL AND took IS NOT NULL THEN
    v_owned := tensile.keyed_owned(p_epoch, p_lanes, seqs, seqs, p_mosts);
    IF v_owned <> '{}' THEN
      SELECT array_agg(CASE WHEN u.l / 10 = ANY (v_owned) AND NOT m.paused THEN u.p ELSE u.t END ORDER BY u.o) INTO took
        FROM unnest(p_lanes, p_takes, took) WITH ORDINALITY AS u(l, p, t, o) JOIN tensile.name m ON m.id = u.l / 10;
    END IF;
  END IF;
  WITH blocks AS (
    INSERT INTO tensile.block (slot, lane, seq, n, at, body, contexts, keys, open)
      SELECT slot, l, s, n, made_at, b, nullif(c, ''), nullif(k, ''), t IS DISTINCT FROM n OR coalesce(k, '') <> ''
      FROM unnest(p_lanes, seqs, p_ns, v_bodies, v_contexts, v_keys, took) AS u(l, s, n, b, c, k, t)
  ), claims AS (
    INSERT INTO tensile.claim (slot, block, lo, hi, epoch, claim) SELECT slot, u.s, 0, u.t, p_epoch, p_claim FROM unnest(seqs, took) AS u(s, t) WHERE u.t > 0
  )
  INSERT INTO tensile.tally SELECT ${tallySlot}, u.l / 10, 0, 0, sum(u.n - coalesce(u.t, 0)), sum(coalesce(u.t, 0))
    FROM unnest(p_lanes, p_ns, took) AS u(l, n, t) GROUP BY 2;
  IF 0 < ANY (took) THEN
    IF run IS NULL THEN run := tensile.this_run(); END IF;
    fence := nextval('tensile.fence');
  END IF;
END $$;

-- Throws where the lease is over, or a claim comes too late. The lock is what a rescue waits for, and is waited for by nobody else.
CREATE FUNCTION tensile.assert_alive(p_epoch bigint, p_claim bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM tensile.process WHERE epoch = p_epoch AND NOT dead AND claims_from <= p_claim FOR KEY SHARE;
  IF FOUND THEN RETURN; END IF;
  IF EXISTS (SELECT FROM tensile.process WHERE epoch = p_epoch AND NOT dead) THEN RAISE EXCEPTION 'the claim comes too late' USING ERRCODE = '${ownStates.lateClaim}'; END IF;
  RAISE EXCEPTION 'the lease of this process is over' USING ERRCODE = '${ownStates.leaseOver}';
END $$;

-- Successes. p_run: the run of the server under which all these claims are known to be kept; throws in another. Answers nothing, but for blocks of which places went to the row path: those were not settled, and these (gone) are to be settled there.
CREATE FUNCTION tensile.blocks_settle(p_run bigint, p_epoch bigint, p_slots smallint[], p_blocks bigint[], p_ns int[], p_ranges text[], p_results text[])
  RETURNS TABLE (block bigint, gone smallint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_now bigint := tensile.now(); v_moved boolean; v_lanes int[];
BEGIN
  -- First what says that a server is read-only, as under a failover: there nothing UNLOGGED can be read.
  PERFORM tensile.assert_alive(p_epoch, ${anyClaim});
  PERFORM FROM tensile.server_run r WHERE r.run = p_run;
  IF NOT FOUND THEN RAISE EXCEPTION 'the server has crashed since these jobs were claimed' USING ERRCODE = '${ownStates.otherRun}'; END IF;
  -- Whoever gives a running job over to the row path waits for this lock, or is waited for: then its block is answered, and settled apart.
  -- Whoever claims what is left of the block (NO KEY UPDATE) does not.
  SELECT array_agg(l.lane) INTO v_lanes
    FROM (SELECT b.lane FROM tensile.block b WHERE b.slot = ANY(p_slots) AND b.seq = ANY(p_blocks) ORDER BY b.seq FOR KEY SHARE) AS l;
  v_moved := EXISTS (SELECT FROM tensile.outcome o WHERE o.slot = ANY(p_slots) AND o.block = ANY(p_blocks) AND o.kind = 1);
  WITH done AS MATERIALIZED (
    SELECT u.s, u.b, u.n, u.r::smallint[] AS r, u.x, u.l FROM unnest(p_slots, p_blocks, p_ns, p_ranges, p_results, v_lanes) AS u(s, b, n, r, x, l)
      WHERE NOT v_moved OR NOT EXISTS (SELECT FROM tensile.blocks_moved_of(u.s, u.b, u.r::smallint[]))
  ), outcomes AS (
    INSERT INTO tensile.outcome (slot, id, block, kind, n, at, epoch, ranges, results)
      SELECT d.s, nextval('tensile.outcome_number'), d.b, 0, d.n, v_now, p_epoch, d.r, d.x FROM done d
  )
  INSERT INTO tensile.tally SELECT ${tallySlot}, d.l / 10, 0, 0, 0, -sum(d.n) FROM done d GROUP BY 2;
  IF v_moved THEN
    RETURN QUERY SELECT u.b, array_agg(m.place)
      FROM unnest(p_slots, p_blocks, p_ranges) AS u(s, b, r) CROSS JOIN LATERAL tensile.blocks_moved_of(u.s, u.b, u.r::smallint[]) AS m(place) GROUP BY 1;
  END IF;
END $$;

-- Claims. Rows of kind 0 are claimed ranges in order; 5: a lane that may have more, where others hold the first of it that block; 6: (at) the number of these claims and (block) the
-- run of the server;
-- 2 (once, with p_deep): the time, the last number of a
-- block, and a number that is higher than those of all transactions that may bring blocks up to there, and (keys) the run; 3 (with p_deep): per lane the first block that is not claimed wholly.
-- p_mosts: per lane, where this process owns its name and says nothing of what it runs (see keyed_owned); null: it says all of it, in p_keys.
CREATE FUNCTION tensile.blocks_turn(p_epoch bigint, p_claim bigint, p_lanes int[], p_credits int[], p_from bigint[], p_until bigint[], p_deep boolean,
    p_bytes bigint, p_key_names int[], p_keys text[], p_aheads int[], p_mosts int[])
  RETURNS TABLE (kind smallint, slot smallint, block bigint, lane int, lo int, hi int, at bigint, body text, contexts text, keys text, gone smallint[])
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v_now bigint := tensile.now(); v_name int; v_last int; v_left int := 0; v_done int; v_hi int; v_bytes bigint := 0; v_before bigint; v_xmin text; v_passed bigint; v_any boolean := false; v_keyed boolean; v_lanes int[] := '{}'; v_counts int[] := '{}'; v_owned int[]; v_until bigint; r record;
BEGIN
  IF p_deep THEN
    -- Before this transaction has a number: whoever has taken a block's number up to here has a lower one. (The end of a snapshot does not say that: it is one above the
    -- last transaction that is over, and others may be under way above it.) A sequence that nobody has asked yet says the number that it will give first.
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO v_before FROM tensile.job_id s;
  END IF;
  PERFORM tensile.assert_alive(p_epoch, p_claim);
  -- A claim that a crash of the server loses is a claim that never was.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF p_deep THEN
    -- Before the lanes are looked at: what is over now is seen there.
    v_xmin := pg_snapshot_xmin(pg_current_snapshot())::text;
  END IF;
  FOR i IN 1..coalesce(cardinality(p_lanes), 0) LOOP
    v_name := p_lanes[i] / 10;
    IF v_name IS DISTINCT FROM v_last THEN
      v_last := v_name;
      v_owned := NULL;
      SELECT CASE WHEN m.paused THEN 0 ELSE p_credits[i] END, EXISTS (SELECT FROM tensile.keyed k WHERE k.name_id = m.id) INTO v_left, v_keyed
        FROM tensile.name m WHERE m.id = v_name;
    END IF;
    CONTINUE WHEN v_left <= 0;
    v_until := p_until[i];
    IF v_keyed AND p_mosts[i] IS NOT NULL THEN
      IF v_owned IS NULL THEN
        SELECT tensile.keyed_owned(p_epoch, array_agg(u.l), array_agg(u.f), array_agg(u.f + ${64 * 512}), array_agg(u.m)) INTO v_owned
          FROM unnest(p_lanes, p_from, p_mosts) AS u(l, f, m) WHERE u.l / 10 = v_name;
      END IF;
      IF v_owned = '{}' THEN
        -- It was not said what runs, so nothing can be claimed.
        RETURN QUERY SELECT u.k::smallint, NULL::smallint, NULL::bigint, p_lanes[i], 0, NULL::int, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::smallint[] FROM (VALUES (5), (9)) AS u(k);
        v_left := 0;
        CONTINUE;
      END IF;
      -- The owner takes whatever comes, as of names without limits.
      SELECT least(v_until, k.top[p_lanes[i] % 10 + 1] + 1) INTO v_until FROM tensile.keyed k WHERE k.name_id = v_name;
    ELSIF v_keyed THEN
      -- All its lanes at once.
      RETURN QUERY SELECT c.* FROM tensile.keyed_claim(p_epoch, p_claim, v_name, v_left,
        (SELECT array_agg(u.l ORDER BY u.l) FROM unnest(p_lanes) AS u(l) WHERE u.l / 10 = v_name),
        (SELECT array_agg(u.f ORDER BY u.l) FROM unnest(p_lanes, p_from) AS u(l, f) WHERE u.l / 10 = v_name),
        (SELECT array_agg(u.u ORDER BY u.l) FROM unnest(p_lanes, p_until) AS u(l, u) WHERE u.l / 10 = v_name),
        (SELECT array_agg(u.k) FROM unnest(p_key_names, p_keys) AS u(n, k) WHERE u.n = v_name), p_aheads[i], 0) AS c;
      v_any := true;
      v_left := 0;
      CONTINUE;
    END IF;
    FOR r IN
      -- Said by pairs, it can only go along the index of lanes: that of the numbers alone, which the planner may prefer, leads through the blocks of all other lanes.
      SELECT b.slot, b.seq, b.n, b.at, b.body, b.contexts, b.keys FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (p_lanes[i], p_from[i]) AND (b.lane, b.seq) < (p_lanes[i], v_until)
        AND NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq AND c.hi = b.n)
      ORDER BY b.lane, b.seq LIMIT least(v_left, 64) FOR NO KEY UPDATE OF b SKIP LOCKED
    LOOP
      -- Again, now that the block is locked: another process may have claimed of it meanwhile.
      SELECT coalesce(max(c.hi), 0) INTO v_done FROM tensile.claim c WHERE c.slot = r.slot AND c.block = r.seq;
      CONTINUE WHEN v_done >= r.n;
      v_hi := least(r.n, v_done + v_left, p_until[i] - r.seq);
      EXIT WHEN v_hi <= v_done;
      INSERT INTO tensile.claim (slot, block, lo, hi, epoch, claim) VALUES (r.slot, r.seq, v_done, v_hi, p_epoch, p_claim);
      v_any := true;
      kind := 0; slot := r.slot; block := r.seq; lane := p_lanes[i]; lo := v_done; hi := v_hi; at := r.at;
      IF v_done = 0 AND v_hi = r.n THEN
        body := r.body; contexts := r.contexts; keys := r.keys;
      ELSE
        body := array_to_string((string_to_array(r.body, E'\\x01'))[v_done + 1:v_hi], E'\\x01');
        contexts := array_to_string((string_to_array(r.contexts, E'\\x01'))[v_done + 1:v_hi], E'\\x01');
        keys := array_to_string((string_to_array(r.keys, E'\\x01'))[v_done + 1:v_hi], E'\\x01');
      END IF;
      SELECT array_agg(g.p::smallint) INTO gone FROM tensile.outcome o CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p)
        WHERE o.slot = r.slot AND o.block = r.seq AND o.kind = 1 AND g.p >= v_done AND g.p < v_hi;
      -- What went to the rows takes no credit: else what comes behind it would seem not to be there.
      v_left := v_left - (v_hi - v_done) + coalesce(cardinality(gone), 0);
      RETURN NEXT;
      v_lanes := v_lanes || lane;
      v_counts := v_counts || v_hi - v_done - coalesce(cardinality(gone), 0);
      v_bytes := v_bytes + octet_length(body);
      EXIT WHEN v_left <= 0 OR v_bytes >= p_bytes;
    END LOOP;
    -- Left to others, who hold it at this moment, or beyond what one turn brings: what is less urgent waits until it is known whether they take all of it.
    SELECT min(u.seq) INTO v_passed FROM (
      SELECT b.seq FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (p_lanes[i], p_from[i])
        AND (b.lane, b.seq) < (p_lanes[i], CASE WHEN v_left > 0 THEN p_until[i] ELSE block END)
        AND NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq AND c.hi = b.n)
        AND b.seq + (SELECT coalesce(max(c.hi), 0) FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq) < p_until[i]
      ORDER BY b.lane, b.seq LIMIT 1) AS u;
    IF v_passed IS NOT NULL THEN
      kind := 5; slot := NULL; block := v_passed; lane := p_lanes[i]; lo := NULL; hi := NULL; at := NULL; body := NULL; contexts := NULL; keys := NULL; gone := NULL;
      RETURN NEXT;
      v_left := 0;
    END IF;
  END LOOP;
  IF v_any THEN
    INSERT INTO tensile.tally SELECT ${tallySlot}, u.l / 10, 0, 0, -sum(u.n), sum(u.n) FROM unnest(v_lanes, v_counts) AS u(l, n) GROUP BY 2;
    RETURN QUERY SELECT 6::smallint, NULL::smallint, tensile.this_run(), NULL::int, NULL::int, NULL::int, nextval('tensile.fence'), NULL::text, NULL::text, NULL::text, NULL::smallint[];
  END IF;
  IF p_deep THEN
    RETURN QUERY SELECT 3::smallint, NULL::smallint, h.seq, u.l, (SELECT coalesce(max(c.hi), 0)::int FROM tensile.claim c WHERE c.slot = h.slot AND c.block = h.seq),
        NULL::int, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::smallint[]
      FROM unnest(p_lanes, p_from) AS u(l, f) LEFT JOIN LATERAL (SELECT b.slot, b.seq FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (u.l, u.f) AND b.lane <= u.l
        AND NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq AND c.hi = b.n)
        ORDER BY b.lane, b.seq LIMIT 1) AS h ON true WHERE NOT EXISTS (SELECT FROM tensile.keyed k WHERE k.name_id = u.l / 10);
    RETURN QUERY SELECT 3::smallint, NULL::smallint, h.seq, h.lane, 0, NULL::int, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::smallint[]
      FROM tensile.keyed_look(p_lanes, p_from) AS h;
    RETURN QUERY SELECT 2::smallint, NULL::smallint, v_before, NULL::int, NULL::int, NULL::int, v_now, v_xmin,
      pg_current_xact_id()::text, tensile.this_run()::text, NULL::smallint[];
  END IF;
END $$;

-- The run of the server, and those of these places that are not claimed like this: a crash has lost it.
CREATE FUNCTION tensile.blocks_recheck(p_epochs bigint[], p_slots smallint[], p_ids bigint[], p_claims bigint[], OUT run bigint, OUT lost bigint[]) LANGUAGE plpgsql AS $$
BEGIN
  run := tensile.this_run();
  SELECT coalesce(array_agg(u.id), '{}') INTO lost FROM unnest(p_epochs, p_slots, p_ids, p_claims) AS u(epoch, slot, id, claim)
    WHERE NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = u.slot AND c.block = u.id / 512 * 512 AND c.lo <= u.id % 512 AND c.hi > u.id % 512
      AND c.epoch = u.epoch AND c.claim = u.claim);
END $$;

CREATE FUNCTION tensile.blocks_places(p_ranges smallint[]) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS $$
  SELECT generate_series(p_ranges[i], p_ranges[i + 1] - 1) FROM generate_series(1, cardinality(p_ranges), 2) AS i
$$;

-- Of these places, those that went to the row path.
CREATE FUNCTION tensile.blocks_moved_of(p_slot smallint, p_block bigint, p_ranges smallint[]) RETURNS SETOF smallint LANGUAGE sql STABLE AS $$
  SELECT g.p::smallint FROM tensile.outcome o CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p)
  WHERE o.slot = p_slot AND o.block = p_block AND o.kind = 1 AND g.p IN (SELECT p FROM tensile.blocks_places(p_ranges) AS p)
$$;

CREATE FUNCTION tensile.blocks_text(x text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN starts_with(x, '=') THEN convert_to(substr(x, 2), 'UTF8') END $$;

CREATE FUNCTION tensile.blocks_context(p_contexts text, p_place int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN starts_with(x, '=') THEN convert_to(substr(x, 2), 'UTF8') END FROM (SELECT split_part(p_contexts, E'\\x01', p_place + 1) AS x) AS u
$$;

-- Gives jobs over to the row path: with the claim under which they run (state 4), or ready where that is null; p_park: parked (5), where their key has no slot
-- left (its row is ours). The caller has locked the blocks.
CREATE FUNCTION tensile.blocks_move(p_ids bigint[], p_epochs bigint[], p_claims bigint[], p_park boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_now bigint := tensile.now();
BEGIN
  -- The texts of a block are taken apart once, whatever the planner thinks of the joins.
  WITH w AS MATERIALIZED (
    SELECT b.seq, b.lane, b.at, string_to_array(b.body, E'\\x01') AS bodies, string_to_array(b.contexts, E'\\x01') AS contexts, string_to_array(b.keys, E'\\x01') AS keys
    FROM (SELECT DISTINCT id / 512 * 512 AS seq FROM unnest(p_ids) AS id) AS s JOIN tensile.block b USING (seq)
  ), t AS (
    SELECT u.id, u.epoch, u.claim, w.lane, w.at, convert_to(w.bodies[(u.id % 512)::int + 1], 'UTF8') AS body, tensile.blocks_text(w.contexts[(u.id % 512)::int + 1]) AS context,
      tensile.blocks_text(w.keys[(u.id % 512)::int + 1]) AS key
    FROM w JOIN unnest(p_ids, p_epochs, p_claims) AS u(id, epoch, claim) ON u.id / 512 * 512 = w.seq OFFSET 0
  )
  INSERT INTO tensile.job (id, name_id, state, priority, attempt, place, enqueued_at, ready_at, epoch, claim, held, noted, key, context, payload)
    SELECT t.id, m.id, CASE WHEN t.claim IS NOT NULL THEN 4 WHEN p_park AND k.running >= m.key_concurrency THEN 5 ELSE 3 END, t.lane % 10,
      CASE WHEN t.claim IS NULL THEN 0 ELSE 1 END, t.id, t.at, CASE WHEN t.claim IS NULL THEN t.at END, coalesce(t.epoch, 0), coalesce(t.claim, 0),
      t.claim IS NOT NULL AND m.per_key AND t.key IS NOT NULL, EXISTS (SELECT FROM tensile.note x WHERE x.job = t.id), t.key, t.context, t.body
    FROM t JOIN tensile.name m ON m.id = t.lane / 10 LEFT JOIN tensile.key_state k ON p_park AND k.name_id = m.id AND k.key = t.key;
  -- What runs holds a slot of its key, as any row that runs.
  INSERT INTO tensile.key_state AS k (name_id, key, running)
    SELECT j.name_id, j.key, count(*) FROM tensile.job j WHERE j.id = ANY(p_ids) AND j.held GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (name_id, key) DO UPDATE SET running = k.running + EXCLUDED.running;
  INSERT INTO tensile.outcome (slot, id, block, kind, n, at, epoch, ranges)
    SELECT b.slot, nextval('tensile.outcome_number'), b.seq, 1, u.n, v_now, 0, u.ranges
    FROM (SELECT id / 512 * 512 AS seq, count(*) AS n, (SELECT array_agg(e.x ORDER BY e.o) FROM unnest(array_agg(id % 512)) AS p(place)
        CROSS JOIN LATERAL (VALUES (place::smallint, place * 2), ((place + 1)::smallint, place * 2 + 1)) AS e(x, o)) AS ranges
      FROM unnest(p_ids) AS i(id) GROUP BY 1) AS u JOIN tensile.block b ON b.seq = u.seq;
  INSERT INTO tensile.tally SELECT ${tallySlot}, b.lane / 10, 0, 0, count(u.claim) - count(*), -count(u.claim)
    FROM unnest(p_ids, p_claims) AS u(id, claim) JOIN tensile.block b ON b.seq = u.id / 512 * 512 GROUP BY 2;
END $$;

-- Of these ids, those that rest in blocks and are not finished: the row path asks this too.
CREATE FUNCTION tensile.blocks_unfinished(p_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE v_ended bigint[];
BEGIN
  SELECT array_agg(o.block + g.p) INTO v_ended FROM (SELECT DISTINCT id / 512 * 512 AS seq FROM unnest(p_ids) AS id) AS s
    JOIN tensile.outcome o ON o.block = s.seq CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p);
  RETURN QUERY SELECT u.id FROM unnest(p_ids) AS u(id) JOIN tensile.block b ON b.seq = u.id / 512 * 512 AND u.id % 512 < b.n
    WHERE (u.id IN (SELECT unnest(v_ended))) IS NOT TRUE;
END $$;

-- Those of these jobs that rest in blocks, unfinished, go to the row path: as ready, or running under the claim that they have. Answers which.
CREATE FUNCTION tensile.blocks_take_out(p_ids bigint[], p_park boolean DEFAULT false) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE v_ids bigint[]; v_epochs bigint[]; v_claims bigint[];
BEGIN
  PERFORM FROM tensile.block b WHERE b.seq IN (SELECT id / 512 * 512 FROM unnest(p_ids) AS id) ORDER BY b.seq FOR UPDATE;
  SELECT array_agg(u.id), array_agg(c.epoch), array_agg(c.claim) INTO v_ids, v_epochs, v_claims
    FROM tensile.blocks_unfinished(p_ids) AS u(id) JOIN tensile.block b ON b.seq = u.id / 512 * 512
    LEFT JOIN tensile.claim c ON c.slot = b.slot AND c.block = b.seq AND c.lo <= u.id % 512 AND c.hi > u.id % 512;
  IF v_ids IS NULL THEN RETURN '{}'; END IF;
  PERFORM tensile.blocks_move(v_ids, v_epochs, v_claims, p_park);
  RETURN v_ids;
END $$;

-- What dead processes ran of blocks goes to the row path under their claims, and is rescued there. p_claim: of one claim alone. At most so many; answers how many.
CREATE FUNCTION tensile.blocks_abandon(p_epochs bigint[], p_claim bigint, p_most int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE v_moved int := 0; v_ids bigint[]; v_claims bigint[]; v_ended int[]; r record;
BEGIN
  FOR r IN SELECT c.slot, c.block, c.lo, c.hi, c.epoch, c.claim FROM tensile.claim c WHERE c.epoch = ANY(p_epochs) AND (p_claim IS NULL OR c.claim = p_claim)
    AND (SELECT coalesce(sum(o.n), 0) FROM tensile.outcome o WHERE o.slot = c.slot AND o.block = c.block)
      < (SELECT b.n FROM tensile.block b WHERE b.slot = c.slot AND b.seq = c.block)
    ORDER BY c.block, c.lo LOOP
    PERFORM FROM tensile.block b WHERE b.slot = r.slot AND b.seq = r.block FOR UPDATE;
    SELECT array_agg(g.p) INTO v_ended FROM tensile.outcome o CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p) WHERE o.slot = r.slot AND o.block = r.block;
    SELECT array_agg(r.block + p), array_agg(r.claim) INTO v_ids, v_claims FROM generate_series(r.lo, r.hi - 1) AS p
      WHERE v_ended IS NULL OR NOT p.p IN (SELECT unnest(v_ended));
    CONTINUE WHEN v_ids IS NULL;
    PERFORM tensile.blocks_move(v_ids, array_fill(r.epoch, ARRAY[cardinality(v_ids)]), v_claims, false);
    v_moved := v_moved + cardinality(v_ids);
    EXIT WHEN v_moved >= p_most;
  END LOOP;
  RETURN v_moved;
END $$;
`;
