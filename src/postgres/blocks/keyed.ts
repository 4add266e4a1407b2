/**
 * Jobs with a key in blocks: names of which at most so many may run per key. Whoever claims of such a name holds its row of `keyed`, so that claims of the whole
 * fleet follow each other, and looks at the *window*: the blocks of which jobs run or were passed over. There the key of every running job stands, so nothing
 * is counted and nothing is written per key. A job whose key is taken stays in its block, and is looked at again by the next claim; the window is bounded by
 * giving what is left of its oldest blocks over to the rows, where blocked jobs are parked.
 *
 * Both sides hold each other's jobs: a claim of blocks counts running rows; a claim of rows first makes rows of what runs in blocks of the keys that it wants.
 * Order of locks: gates, `keyed` by name, blocks (claims: SKIP LOCKED), keys, jobs.
 */
import { postgresLimits as limits } from "../limits.ts";
import { tallySlot } from "../rows/index.ts";

const windowBlocks = 128;
/** Blocks between the first of the window and the last, finished ones among them. */
const windowAll = 512;
/** Jobs that stay in their blocks though their key is taken: so many always; more, as long as a claim looks at few of them for each job that runs. */
const windowJobs = 512;
const mostWindowJobs = 8_192;
const passedPerRunning = 16;
/** How many one turn gives over to the rows at most. */
const movedJobs = 2_000;
/** Blocks of which one claim takes: they have at most 64 KiB of payloads each. */
const turnBlocks = 64;
/** Blocks by which the upper end of the window goes on at once, so that it is not written by every claim. */
const stride = 32 * 512;
/** The same for what is claimed in the commit of its enqueueing. */
const ownedStride = 256 * 512;
/** Milliseconds in which nobody else has claimed of a name before a process may claim ahead. */
const aloneMs = 1_000;
/** Keys that are told: more are not known. */
const toldKeys = 1_000;

export const keyedTables = `
-- By priority, 1 to 10. low: no block below has a job that runs or was passed over. top: no block above was claimed.
-- owner: the only process of which jobs of the name run, or 0. It alone may claim more of a key than may run: it hands them over one after the other itself. claimer and
-- shared_at: who claimed last, and when another had before; not exactly, since it is not written by every claim.
CREATE TABLE tensile.keyed (name_id int PRIMARY KEY, low bigint[] NOT NULL, top bigint[] NOT NULL,
  owner bigint NOT NULL DEFAULT 0, claimer bigint NOT NULL DEFAULT 0, shared_at bigint NOT NULL DEFAULT 0) WITH (fillfactor = 20);
`;

export const keyedFunctions = `
-- Of a name with limits per key its blocks are claimed like this from here on, also when the limits are lifted: places may have been passed over.
CREATE FUNCTION tensile.keyed_begin(p_name int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_top bigint;
BEGIN
  IF EXISTS (SELECT FROM tensile.keyed WHERE name_id = p_name) THEN RETURN; END IF;
  -- What was claimed without looking, also in this moment.
  SELECT s.last_value + ${stride} INTO v_top FROM tensile.job_id s;
  INSERT INTO tensile.keyed (name_id, low, top) VALUES (p_name, array_fill(0::bigint, ARRAY[10]), array_fill(v_top, ARRAY[10])) ON CONFLICT DO NOTHING;
END $$;

-- Of these names, those that this process owns and may claim of without looking: whoever else wants to claim waits for this commit, and ends that. p_los, p_his: per lane
-- between which numbers; p_mosts: the limit that this process keeps, null: the lane is not asked for. Each row is locked once, and in one way: whoever holds a share
-- and wants more waits for those that wait for the share to end.
CREATE FUNCTION tensile.keyed_owned(p_epoch bigint, p_lanes int[], p_los bigint[], p_his bigint[], p_mosts int[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE v_owned int[] := '{}'; v_fits boolean; r record;
BEGIN
  FOR r IN SELECT u.l / 10 AS name, array_agg(u.l) AS lanes, array_agg(u.a) AS los, array_agg(u.b) AS his, min(u.m) AS most
    FROM unnest(p_lanes, p_los, p_his, p_mosts) AS u(l, a, b, m) WHERE u.m IS NOT NULL GROUP BY 1 ORDER BY 1 LOOP
    SELECT NOT EXISTS (SELECT FROM unnest(r.lanes, r.los, r.his) AS u(l, a, b) WHERE u.a < k.low[u.l % 10 + 1] OR u.b > k.top[u.l % 10 + 1]) INTO v_fits
      FROM tensile.keyed k JOIN tensile.name m ON m.id = k.name_id WHERE k.name_id = r.name AND k.owner = p_epoch AND m.per_key AND m.key_concurrency = r.most
      AND NOT m.key_ordered AND m.key_limit IS NULL AND m.gates IS NULL AND m.ageing_ms IS NULL;
    CONTINUE WHEN NOT FOUND;
    IF v_fits THEN
      PERFORM FROM tensile.keyed k WHERE k.name_id = r.name AND k.owner = p_epoch
        AND NOT EXISTS (SELECT FROM unnest(r.lanes, r.los, r.his) AS u(l, a, b) WHERE u.a < k.low[u.l % 10 + 1] OR u.b > k.top[u.l % 10 + 1]) FOR KEY SHARE;
      v_fits := FOUND;
    ELSE
      v_fits := tensile.keyed_extend(p_epoch, r.name, r.lanes, r.los, r.his);
    END IF;
    IF v_fits THEN v_owned := v_owned || r.name; END IF;
  END LOOP;
  RETURN v_owned;
END $$;

-- Of a name that this process owns, the window reaches from here on to these numbers and some way on. What is finished at its lower end is left behind: nobody claims
-- at this moment, so that all claimed blocks are seen.
CREATE FUNCTION tensile.keyed_extend(p_epoch bigint, p_name int, p_lanes int[], p_los bigint[], p_his bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE k tensile.keyed;
BEGIN
  SELECT * INTO k FROM tensile.keyed WHERE name_id = p_name AND owner = p_epoch FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE tensile.keyed SET (low, top) = (
    SELECT array_agg(least(coalesce(f.seq, t.top + 1), u.lo) ORDER BY t.o), array_agg(CASE WHEN u.hi > t.top THEN u.hi + ${ownedStride} ELSE t.top END ORDER BY t.o)
    FROM unnest(k.low, k.top) WITH ORDINALITY AS t(low, top, o)
    LEFT JOIN (SELECT l % 10 + 1 AS p, min(a) AS lo, max(b) AS hi FROM unnest(p_lanes, p_los, p_his) AS v(l, a, b) GROUP BY 1) AS u ON u.p = t.o
    LEFT JOIN LATERAL (SELECT b.seq FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (p_name * 10 + t.o::int - 1, t.low) AND (b.lane, b.seq) <= (p_name * 10 + t.o::int - 1, t.top)
      AND (SELECT coalesce(sum(o.n), 0) FROM tensile.outcome o WHERE o.slot = b.slot AND o.block = b.seq) < b.n ORDER BY b.lane, b.seq LIMIT 1) AS f ON true
  ) WHERE name_id = p_name;
  RETURN true;
END $$;

-- Keys of rows of such a name that are ready or parked. So many at most: then they are not all.
CREATE FUNCTION tensile.keyed_row_keys(p_name int, p_most int) RETURNS SETOF bytea LANGUAGE sql STABLE AS $$
  SELECT * FROM (
    (WITH RECURSIVE t AS (
        (SELECT j.key FROM tensile.job j WHERE j.state = 5 AND j.name_id = p_name ORDER BY j.name_id, j.key LIMIT 1)
        UNION ALL SELECT (SELECT j.key FROM tensile.job j WHERE j.state = 5 AND j.name_id = p_name AND j.key > t.key ORDER BY j.name_id, j.key LIMIT 1) FROM t WHERE t.key IS NOT NULL
      ) SELECT t.key FROM t WHERE t.key IS NOT NULL LIMIT p_most)
    UNION ALL (SELECT j.key FROM tensile.job j WHERE j.state = 3 AND j.name_id = p_name ORDER BY j.priority, j.turn, j.place LIMIT p_most)
  ) AS u LIMIT p_most
$$;

-- The blocks of the window, with how many of their places are claimed, are not, run for other processes than this one, and are not finished.
CREATE FUNCTION tensile.keyed_window(p_name int, p_low bigint[], p_top bigint[], p_epoch bigint)
  RETURNS TABLE (slot smallint, seq bigint, lane int, claimed bigint, unclaimed bigint, foreigners bigint, rest bigint) LANGUAGE sql STABLE AS $$
  SELECT b.slot, b.seq, b.lane, c.n, b.n - c.n, c.foreigners, b.n - o.n
  FROM generate_series(0, 9) AS p(priority) JOIN tensile.block b ON b.open AND b.lane = p_name * 10 + p.priority AND b.seq >= p_low[p.priority + 1] AND b.seq <= p_top[p.priority + 1]
  CROSS JOIN LATERAL (SELECT coalesce(sum(o.n), 0) AS n FROM tensile.outcome o WHERE o.slot = b.slot AND o.block = b.seq) AS o
  CROSS JOIN LATERAL (SELECT coalesce(sum(c.hi - c.lo), 0) AS n, coalesce(sum(c.hi - c.lo) FILTER (WHERE c.epoch <> p_epoch), 0) AS foreigners
    FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq) AS c
$$;

-- Which places of these blocks run, but for those of one process, each with its key ("=" and the key, or nothing). Stable: by the snapshot of whoever asks, so
-- that what goes to the rows meanwhile is seen on one side.
CREATE FUNCTION tensile.keyed_running(p_slots smallint[], p_seqs bigint[], p_epoch bigint) RETURNS TABLE (id bigint, key text) LANGUAGE plpgsql STABLE AS $$
DECLARE v_claimed bigint[]; v_ended bigint[];
BEGIN
  SELECT array_agg(c.block + g.p) INTO v_claimed FROM unnest(p_slots, p_seqs) AS w(s, q) JOIN tensile.claim c ON c.slot = w.s AND c.block = w.q AND c.epoch <> p_epoch
    CROSS JOIN LATERAL generate_series(c.lo, c.hi - 1) AS g(p);
  IF v_claimed IS NULL THEN RETURN; END IF;
  SELECT array_agg(o.block + g.p) INTO v_ended FROM unnest(p_slots, p_seqs) AS w(s, q) JOIN tensile.outcome o ON o.slot = w.s AND o.block = w.q
    CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p);
  RETURN QUERY SELECT x.id, x.key FROM tensile.keyed_keys(p_slots, p_seqs) AS x WHERE (x.id IN (SELECT unnest(v_claimed))) IS TRUE AND (x.id IN (SELECT unnest(v_ended))) IS NOT TRUE;
END $$;

-- The places of these blocks that nobody has claimed.
CREATE FUNCTION tensile.keyed_unclaimed(p_slots smallint[], p_seqs bigint[]) RETURNS TABLE (id bigint, lane int, key text) LANGUAGE plpgsql STABLE AS $$
DECLARE v_taken bigint[];
BEGIN
  SELECT array_agg(x.id) INTO v_taken FROM (
    SELECT c.block + generate_series(c.lo, c.hi - 1) AS id FROM unnest(p_slots, p_seqs) AS w(s, q) JOIN tensile.claim c ON c.slot = w.s AND c.block = w.q
    UNION ALL SELECT o.block + g.p FROM unnest(p_slots, p_seqs) AS w(s, q) JOIN tensile.outcome o ON o.slot = w.s AND o.block = w.q AND o.kind = 1
      CROSS JOIN LATERAL tensile.blocks_places(o.ranges) AS g(p)
  ) AS x;
  RETURN QUERY SELECT x.id, x.lane, x.key FROM tensile.keyed_keys(p_slots, p_seqs) AS x WHERE (x.id IN (SELECT unnest(v_taken))) IS NOT TRUE;
END $$;

-- The keys of all places of these blocks.
CREATE FUNCTION tensile.keyed_keys(p_slots smallint[], p_seqs bigint[]) RETURNS TABLE (id bigint, lane int, key text) LANGUAGE sql STABLE AS $$
  SELECT b.seq + u.o - 1, b.lane, u.key FROM unnest(p_slots, p_seqs) AS w(s, q) JOIN tensile.block b ON b.slot = w.s AND b.seq = w.q
  CROSS JOIN LATERAL unnest(CASE WHEN b.keys IS NULL THEN array_fill(''::text, ARRAY[b.n::int]) ELSE string_to_array(b.keys, E'\\x01') END) WITH ORDINALITY AS u(key, o)
$$;

-- What runs in blocks of these keys becomes rows, so that whoever holds the keys' rows knows all that runs. The name's row of keyed is ours until the end.
CREATE FUNCTION tensile.keyed_to_rows(p_name int, p_keys bytea[], p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE k tensile.keyed; v_slots smallint[]; v_seqs bigint[]; v_ids bigint[];
BEGIN
  SELECT * INTO k FROM tensile.keyed WHERE name_id = p_name FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF k.owner NOT IN (0, p_epoch) THEN UPDATE tensile.keyed SET owner = 0, claimer = p_epoch, shared_at = tensile.now() WHERE name_id = p_name; END IF;
  SELECT array_agg(w.slot), array_agg(w.seq) INTO v_slots, v_seqs FROM tensile.keyed_window(p_name, k.low, k.top, 0) AS w WHERE w.claimed > 0 AND w.rest > 0;
  IF v_seqs IS NULL THEN RETURN; END IF;
  SELECT array_agg(p.id) INTO v_ids FROM tensile.keyed_running(v_slots, v_seqs, 0) AS p
    WHERE p.key <> '' AND (convert_to(substr(p.key, 2), 'UTF8') IN (SELECT unnest(p_keys))) IS TRUE;
  IF v_ids IS NOT NULL THEN PERFORM tensile.blocks_take_out(v_ids); END IF;
END $$;

-- Claims of all lanes of a name, as blocks_turn does of one: kind 0: a range; 8: single places (gone: which), the texts of which follow each other. 7: of each
-- lane the first job (block) that may start and was left, and whether (lo) places were passed over. p_running: the keys of all that this process runs of the name. 9: whether (lo) this process owns
-- the name, and the keys of all that waits in its lanes, where that is known. p_ahead: how many it may claim beyond those that may run, if it does.
CREATE FUNCTION tensile.keyed_claim(p_epoch bigint, p_claim bigint, p_name int, p_credit int, p_lanes int[], p_from bigint[], p_until bigint[], p_running text[], p_ahead int, p_more int)
  RETURNS TABLE (kind smallint, slot smallint, block bigint, lane int, lo int, hi int, at bigint, body text, contexts text, keys text, gone smallint[])
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  k tensile.keyed; n tensile.name; v_most int; v_foreign boolean; v_low bigint[]; v_top bigint[]; i int; r record;
  v_slots smallint[]; v_seqs bigint[]; v_lanes int[]; v_fresh bigint[]; v_all bigint[]; v_window bigint[]; v_locked_slots smallint[]; v_locked bigint[];
  v_their_slots smallint[]; v_theirs bigint[]; v_further bigint[]; v_further_lanes int[];
  v_ids bigint[]; v_rest bigint[]; v_blocked bigint[]; v_move bigint[]; v_park bigint[]; v_keys bytea[]; v_room int;
  v_now bigint := tensile.now(); v_own boolean; v_ahead int := 0; v_aheads bigint[]; v_all_ids bigint[]; v_few boolean; v_ahead_keys text[]; v_wait_keys text[]; v_row_keys text[] := '{}';
BEGIN
  -- Whoever owns it claims under KEY SHARE, also while it enqueues: all of that is committed from here on.
  SELECT * INTO k FROM tensile.keyed WHERE name_id = p_name FOR UPDATE;
  SELECT * INTO n FROM tensile.name m WHERE m.id = p_name;
  v_most := CASE WHEN n.per_key THEN n.key_concurrency END;
  -- Limits that are not kept here, set after these jobs came: they go to the rows.
  v_foreign := n.key_ordered OR n.key_limit IS NOT NULL OR n.gates IS NOT NULL OR n.ageing_ms IS NOT NULL;
  v_low := k.low; v_top := k.top;
  -- A block whose transaction has committed late may stand below the window.
  FOR i IN 1..cardinality(p_lanes) LOOP
    v_low[p_lanes[i] % 10 + 1] := least(v_low[p_lanes[i] % 10 + 1], p_from[i]);
  END LOOP;
  -- Of the window: what was claimed of in part, and, apart, what is untouched; and where others' jobs run.
  SELECT array_agg(w.seq ORDER BY w.seq), array_agg(w.seq ORDER BY w.seq) FILTER (WHERE w.rest > 0), array_agg(w.seq) FILTER (WHERE w.claimed = 0 AND w.rest > 0 AND w.lane = ANY(p_lanes)),
      array_agg(w.slot) FILTER (WHERE w.claimed > 0 AND w.unclaimed > 0 AND w.rest > 0 AND w.lane = ANY(p_lanes)),
      array_agg(w.seq) FILTER (WHERE w.claimed > 0 AND w.unclaimed > 0 AND w.rest > 0 AND w.lane = ANY(p_lanes)),
      array_agg(w.lane) FILTER (WHERE w.claimed > 0 AND w.unclaimed > 0 AND w.rest > 0 AND w.lane = ANY(p_lanes)),
      array_agg(w.slot) FILTER (WHERE w.foreigners > 0 AND w.rest > 0), array_agg(w.seq) FILTER (WHERE w.foreigners > 0 AND w.rest > 0),
      (SELECT array_agg(coalesce(f.low, v_top[p + 1] + 1) ORDER BY p) FROM generate_series(0, 9) AS p
        LEFT JOIN (SELECT x.lane % 10 AS p, min(x.seq) AS low FROM unnest(array_agg(w.lane) FILTER (WHERE w.rest > 0), array_agg(w.seq) FILTER (WHERE w.rest > 0)) AS x(lane, seq) GROUP BY 1) AS f USING (p))
    INTO v_all, v_window, v_fresh, v_slots, v_seqs, v_lanes, v_their_slots, v_theirs, v_low FROM tensile.keyed_window(p_name, v_low, v_top, p_epoch) AS w;
  v_own := NOT v_foreign AND n.per_key AND (k.owner = p_epoch OR (v_theirs IS NULL AND v_now - k.shared_at >= ${aloneMs}
    AND (k.claimer IN (0, p_epoch) OR NOT EXISTS (SELECT FROM tensile.process p WHERE p.epoch = k.claimer AND NOT p.dead))
    AND NOT EXISTS (SELECT FROM tensile.job j WHERE j.state = 4 AND j.name_id = p_name AND j.epoch <> p_epoch)));
  IF v_own AND p_ahead > 0 THEN
    -- Of a key that rows wait for as well nothing is claimed ahead: it would be served from blocks for ever.
    SELECT coalesce(array_agg('=' || convert_from(x, 'UTF8')), '{}') INTO v_row_keys FROM tensile.keyed_row_keys(p_name, ${toldKeys}) AS x WHERE position('\\x00'::bytea IN x) = 0;
    v_ahead := CASE WHEN cardinality(v_row_keys) < ${toldKeys} / 2 THEN p_ahead ELSE 0 END;
  END IF;
  -- Untouched ones, of the window and above, as many as there is room for.
  SELECT v_slots || array_agg(f.slot) FILTER (WHERE f.before < p_credit + p_more), v_seqs || array_agg(f.seq) FILTER (WHERE f.before < p_credit + p_more),
      v_lanes || array_agg(f.lane) FILTER (WHERE f.before < p_credit + p_more),
      array_agg(f.seq) FILTER (WHERE f.before >= p_credit + p_more), array_agg(f.lane) FILTER (WHERE f.before >= p_credit + p_more)
    INTO v_slots, v_seqs, v_lanes, v_further, v_further_lanes
    FROM (
      SELECT b.slot, b.seq, b.lane, sum(b.n - o.n) OVER (ORDER BY b.lane, b.seq) - b.n + o.n AS before FROM (
        SELECT b.slot, b.seq, b.lane, b.n FROM unnest(v_fresh) AS u(seq) JOIN tensile.block b ON b.seq = u.seq
        UNION ALL SELECT b.slot, b.seq, b.lane, b.n FROM unnest(p_lanes, p_until) AS l(lane, until)
        CROSS JOIN LATERAL (SELECT b.slot, b.seq, b.lane, b.n FROM tensile.block b WHERE b.open AND (b.lane, b.seq) > (l.lane, v_top[l.lane % 10 + 1]) AND (b.lane, b.seq) < (l.lane, l.until)
          ORDER BY b.lane, b.seq LIMIT least(p_credit, 64) + 1) AS b
      ) AS b CROSS JOIN LATERAL (SELECT coalesce(sum(o.n), 0) AS n FROM tensile.outcome o WHERE o.slot = b.slot AND o.block = b.seq) AS o
    ) AS f;
  SELECT array_agg(b.slot), array_agg(b.seq) INTO v_locked_slots, v_locked
    FROM (SELECT b.slot, b.seq FROM tensile.block b WHERE b.seq = ANY(v_seqs) ORDER BY b.seq FOR NO KEY UPDATE SKIP LOCKED) AS b;
  -- What runs comes first in its key, here, in others' blocks and in others' rows: whoever has a number within the limit may start.
  SELECT array_agg(x.id ORDER BY x.lane, x.id) FILTER (WHERE x.go AND NOT x.runs), array_agg(x.id ORDER BY x.id) FILTER (WHERE NOT x.go AND NOT x.runs AND NOT x.ahead),
      array_agg(x.id ORDER BY x.lane, x.id) FILTER (WHERE NOT x.go AND NOT x.runs AND x.ahead), array_agg(DISTINCT x.key) FILTER (WHERE NOT x.go AND NOT x.runs AND x.ahead),
      array_agg(DISTINCT x.key) FILTER (WHERE NOT x.go AND NOT x.runs AND NOT x.ahead),
      least(${mostWindowJobs}, greatest(${windowJobs}, count(*) FILTER (WHERE x.runs OR x.go) * ${passedPerRunning})) INTO v_ids, v_blocked, v_aheads, v_ahead_keys, v_wait_keys, v_room FROM (
    SELECT p.id, p.lane, p.key, p.runs, v_most IS NULL OR p.key = '' OR p.nth <= v_most AS go, v_ahead > 0 AND p.nth <= v_most + ${limits.aheadOfKey} AND p.key <> ALL (v_row_keys) AS ahead
    FROM (SELECT q.*, row_number() OVER (PARTITION BY q.hash ORDER BY NOT q.runs, q.lane, q.id) AS nth FROM (
      SELECT u.id, u.lane, u.key, hashtextextended(u.key, 0) AS hash, false AS runs FROM tensile.keyed_unclaimed(v_locked_slots, v_locked) AS u
        WHERE u.id < p_until[array_position(p_lanes, u.lane)]
      UNION ALL SELECT NULL, 0, u.key, hashtextextended(u.key, 0), true FROM unnest(p_running) AS u(key)
      UNION ALL SELECT u.id, 0, u.key, hashtextextended(u.key, 0), true FROM tensile.keyed_running(v_their_slots, v_theirs, p_epoch) AS u WHERE u.key <> ''
      UNION ALL SELECT j.id, 0, '=' || convert_from(j.key, 'UTF8'), hashtextextended('=' || convert_from(j.key, 'UTF8'), 0), true
        FROM tensile.job j WHERE j.state = 4 AND j.name_id = p_name AND j.held AND j.epoch <> p_epoch AND position('\\x00'::bytea IN j.key) = 0
    ) AS q) AS p
  ) AS x;
  IF v_foreign THEN
    v_move := (v_ids || v_blocked)[:${movedJobs}];
    v_ids := NULL; v_blocked := NULL;
  END IF;
  -- All or nearly all that was looked at is passed over: further, once. Where some can start, the next turn looks further.
  IF p_more = 0 AND v_further IS NOT NULL AND (coalesce(cardinality(v_ids), 0) + least(v_ahead, coalesce(cardinality(v_aheads), 0))) * 8 < p_credit AND NOT v_foreign THEN
    RETURN QUERY SELECT c.* FROM tensile.keyed_claim(p_epoch, p_claim, p_name, p_credit, p_lanes, p_from, p_until, p_running, p_ahead, ${windowJobs}) AS c;
    RETURN;
  END IF;
  IF v_aheads IS NOT NULL THEN
    -- In their order, as far as there is room, so that nothing is passed over; unless too few may start then, because of some keys that many wait for.
    SELECT array_agg(u.id ORDER BY u.l, u.id) FILTER (WHERE u.s <= p_credit AND u.a <= v_ahead), array_agg(u.id ORDER BY u.l, u.id) FILTER (WHERE u.s > p_credit OR u.a > v_ahead),
        coalesce(max(u.s) FILTER (WHERE u.s <= p_credit AND u.a <= v_ahead), 0) * 4 < least(p_credit, max(u.s))
      INTO v_all_ids, v_rest, v_few FROM (
        SELECT c.id, w.l, count(*) FILTER (WHERE c.go) OVER (ORDER BY w.l, c.id) AS s, count(*) FILTER (WHERE NOT c.go) OVER (ORDER BY w.l, c.id) AS a
        FROM (SELECT unnest(v_ids) AS id, true AS go UNION ALL SELECT unnest(v_aheads), false) AS c JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = c.id / 512 * 512
      ) AS u;
    IF v_few THEN
      SELECT v_blocked || array_agg(a) INTO v_blocked FROM unnest(v_aheads) AS a WHERE (a IN (SELECT unnest(v_all_ids))) IS NOT TRUE;
      SELECT array_agg(u.id ORDER BY w.l, u.id) INTO v_all_ids FROM (SELECT unnest(v_all_ids) AS id UNION SELECT unnest(v_ids[:p_credit])) AS u JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = u.id / 512 * 512;
      v_rest := v_ids[p_credit + 1:];
      v_wait_keys := v_wait_keys || v_ahead_keys;
      SELECT array_agg(b ORDER BY b) INTO v_blocked FROM unnest(v_blocked) AS b;
    END IF;
    v_ids := v_all_ids;
  ELSE
    v_rest := v_ids[p_credit + 1:];
    v_ids := v_ids[:p_credit];
  END IF;
  -- Not of more blocks than may be handed over at once.
  IF cardinality(v_seqs) > ${turnBlocks} THEN
    SELECT array_agg(f.id ORDER BY f.o) FILTER (WHERE f.nth <= ${turnBlocks}), array_agg(f.id) FILTER (WHERE f.nth > ${turnBlocks}) || v_rest INTO v_ids, v_rest FROM (
      SELECT u.id, u.o, dense_rank() OVER (ORDER BY w.l, w.q) AS nth FROM unnest(v_ids) WITH ORDINALITY AS u(id, o) JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = u.id / 512 * 512
    ) AS f;
  END IF;
  INSERT INTO tensile.claim (slot, block, lo, hi, epoch, claim)
    WITH g AS MATERIALIZED (
      SELECT x.seq, min(x.id) AS lo, max(x.id) + 1 AS hi
      FROM (SELECT u.id, u.id / 512 * 512 AS seq, u.id - row_number() OVER (ORDER BY u.id) AS run FROM unnest(v_ids) AS u(id)) AS x GROUP BY x.seq, x.run
    ) SELECT w.s, w.q, g.lo - w.q, g.hi - w.q, p_epoch, p_claim FROM g JOIN unnest(v_slots, v_seqs) AS w(s, q) ON w.q = g.seq;
  IF v_ids IS NOT NULL THEN INSERT INTO tensile.tally VALUES (${tallySlot}, p_name, 0, 0, -cardinality(v_ids), cardinality(v_ids)); END IF;
  FOR r IN
    WITH g AS MATERIALIZED (
      SELECT u.id / 512 * 512 AS seq, min(u.o) AS o, array_agg((u.id % 512)::smallint ORDER BY u.id) AS places, min(u.id % 512)::int AS lo, max(u.id % 512)::int + 1 AS hi
      FROM unnest(v_ids) WITH ORDINALITY AS u(id, o) GROUP BY 1
    ) SELECT b.slot, b.seq, b.lane, b.n, b.at, b.body, b.contexts, b.keys, g.places, g.lo, g.hi FROM g JOIN unnest(v_slots, v_seqs) AS w(s, q) ON w.q = g.seq JOIN tensile.block b ON b.slot = w.s AND b.seq = w.q ORDER BY g.o
  LOOP
    kind := CASE WHEN r.hi - r.lo = cardinality(r.places) THEN 0 ELSE 8 END;
    slot := r.slot; block := r.seq; lane := r.lane; lo := r.lo; hi := r.hi; at := r.at; gone := CASE WHEN kind = 8 THEN r.places END;
    IF cardinality(r.places) = r.n THEN body := r.body; contexts := r.contexts; keys := r.keys;
    ELSE
      body := tensile.keyed_texts(r.body, r.lo, r.hi, gone);
      contexts := tensile.keyed_texts(r.contexts, r.lo, r.hi, gone);
      keys := tensile.keyed_texts(r.keys, r.lo, r.hi, gone);
    END IF;
    RETURN NEXT;
    IF r.seq > v_top[r.lane % 10 + 1] THEN v_top[r.lane % 10 + 1] := r.seq + ${stride}; END IF;
  END LOOP;
  -- What was passed over above the window is in it from now on.
  FOR r IN SELECT max(b) AS seq, w.l FROM unnest(v_blocked) AS b JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = b / 512 * 512 GROUP BY w.l LOOP
    IF r.seq > v_top[r.l % 10 + 1] THEN v_top[r.l % 10 + 1] := r.seq + ${stride}; END IF;
  END LOOP;
  IF v_top <> k.top OR EXISTS (SELECT FROM unnest(v_low, k.low) AS u(a, b) WHERE u.a < u.b OR u.a > u.b + ${stride}) OR v_own <> (k.owner = p_epoch)
    OR (NOT v_own AND (k.owner <> 0 OR (k.claimer <> p_epoch AND v_now - k.shared_at >= ${aloneMs} / 2))) THEN
    UPDATE tensile.keyed SET low = v_low, top = v_top, owner = CASE WHEN v_own THEN p_epoch ELSE 0 END, claimer = p_epoch,
      shared_at = CASE WHEN k.claimer <> p_epoch THEN v_now ELSE k.shared_at END WHERE name_id = p_name;
  END IF;
  -- Also where few blocks are left among many that are finished: a job that runs for long must not make all others' claims look at what came since.
  i := greatest(cardinality(v_window) - ${windowBlocks}, CASE WHEN cardinality(v_all) > ${windowAll} THEN (SELECT count(*) FROM unnest(v_window) AS u(q) WHERE u.q <= v_all[cardinality(v_all) - ${windowBlocks}]) END);
  IF i > 0 THEN
    -- Of those that nobody has locked, so that nothing is waited for but settlements.
    SELECT v_move || array_agg(b.seq + g.p) INTO v_move FROM (SELECT b.seq, b.n FROM tensile.block b WHERE b.seq = ANY(v_window[:i]) ORDER BY b.seq
      LIMIT 16 FOR UPDATE SKIP LOCKED) AS b CROSS JOIN LATERAL generate_series(0, b.n - 1) AS g(p);
  END IF;
  IF cardinality(v_blocked) > v_room THEN
    -- They would be parked there: so they are at once, and what runs of their keys is there as well, to call them.
    v_park := v_blocked[:least(${movedJobs}, cardinality(v_blocked) - v_room / 2)];
    SELECT array_agg(DISTINCT convert_to(substr(p.key, 2), 'UTF8')) INTO v_keys FROM tensile.keyed_unclaimed(v_locked_slots, v_locked) AS p WHERE (p.id IN (SELECT unnest(v_park))) IS TRUE;
    PERFORM tensile.keyed_to_rows(p_name, v_keys, p_epoch);
    PERFORM tensile.rows_lock_keys(array_fill(p_name, ARRAY[cardinality(v_keys)]), v_keys);
    PERFORM tensile.blocks_take_out(v_park, true);
  END IF;
  IF v_move IS NOT NULL THEN PERFORM tensile.blocks_take_out(v_move); END IF;
  RETURN QUERY SELECT 9::smallint, NULL::smallint, NULL::bigint, p_name * 10, CASE WHEN v_own THEN 1 ELSE 0 END, NULL::int, NULL::bigint, NULL::text, NULL::text,
    CASE WHEN cardinality(v_rest) > 0 OR v_further IS NOT NULL OR v_move IS NOT NULL OR v_park IS NOT NULL OR cardinality(v_seqs) > coalesce(cardinality(v_locked), 0)
      OR cardinality(v_wait_keys) > ${toldKeys} THEN NULL ELSE coalesce(array_to_string(v_wait_keys, E'\\x01'), '') END, NULL::smallint[];
  RETURN QUERY SELECT 7::smallint, NULL::smallint, least(f.first, g.first), l.lane,
      -- What others hold at this moment may have been passed over before.
      CASE WHEN cardinality(v_seqs) > coalesce(cardinality(v_locked), 0) OR EXISTS (SELECT FROM unnest(v_blocked) AS b JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = b / 512 * 512 WHERE w.l = l.lane)
        -- Or something was claimed behind what was left.
        OR EXISTS (SELECT FROM unnest(v_slots, v_seqs, v_lanes) AS w(s, q, l) JOIN tensile.claim c ON c.slot = w.s AND c.block = w.q WHERE w.l = l.lane AND c.block + c.hi > f.first) THEN 1 ELSE 0 END,
      CASE WHEN v_move IS NOT NULL OR v_park IS NOT NULL OR cardinality(v_seqs) > coalesce(cardinality(v_locked), 0) THEN 1 ELSE 0 END,
      NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::smallint[]
    FROM unnest(p_lanes) AS l(lane)
    LEFT JOIN LATERAL (SELECT min(x) AS first FROM unnest(v_rest) AS x JOIN unnest(v_seqs, v_lanes) AS w(q, l) ON w.q = x / 512 * 512 WHERE w.l = l.lane) AS f ON true
    LEFT JOIN LATERAL (SELECT min(u.s) AS first FROM unnest(v_further, v_further_lanes) AS u(s, l) WHERE u.l = l.lane) AS g ON true;
END $$;

-- Of texts in a row those of a range, or of single places.
CREATE FUNCTION tensile.keyed_texts(p_all text, p_lo int, p_hi int, p_places smallint[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE v_all text[] := string_to_array(p_all, E'\\x01');
BEGIN
  IF p_all IS NULL THEN RETURN NULL; END IF;
  IF p_places IS NULL THEN RETURN array_to_string(v_all[p_lo + 1:p_hi], E'\\x01'); END IF;
  RETURN array_to_string(ARRAY(SELECT v_all[p + 1] FROM unnest(p_places) AS p), E'\\x01');
END $$;

-- Of lanes of such names the first block that may have places that nobody has claimed; from: what stands below is known to have none, but for what was passed over.
CREATE FUNCTION tensile.keyed_look(p_lanes int[], p_from bigint[]) RETURNS TABLE (lane int, seq bigint) LANGUAGE sql STABLE AS $$
  SELECT u.l, least(f.seq, w.seq) FROM unnest(p_lanes, p_from) AS u(l, f) JOIN tensile.keyed k ON k.name_id = u.l / 10
  -- Said by pairs, as in blocks_turn: along the index of lanes alone.
  LEFT JOIN LATERAL (SELECT b.seq FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (u.l, u.f) AND b.lane <= u.l
    AND NOT EXISTS (SELECT FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq)
    AND (SELECT coalesce(sum(o.n), 0) FROM tensile.outcome o WHERE o.slot = b.slot AND o.block = b.seq) < b.n ORDER BY b.lane, b.seq LIMIT 1) AS f ON true
  LEFT JOIN LATERAL (SELECT b.seq FROM tensile.block b WHERE b.open AND (b.lane, b.seq) >= (u.l, k.low[u.l % 10 + 1]) AND (b.lane, b.seq) <= (u.l, k.top[u.l % 10 + 1])
    AND (SELECT coalesce(sum(o.n), 0) FROM tensile.outcome o WHERE o.slot = b.slot AND o.block = b.seq) < b.n
    AND (SELECT coalesce(sum(c.hi - c.lo), 0) FROM tensile.claim c WHERE c.slot = b.slot AND c.block = b.seq) < b.n ORDER BY b.lane, b.seq LIMIT 1) AS w ON true
$$;
`;

/** At the end: the plans are those of a full table, made once. */
export const keyedSettings = `
ALTER FUNCTION tensile.keyed_claim SET enable_seqscan = off SET enable_sort = on SET enable_hashjoin = on SET jit = off SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION tensile.keyed_extend SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off;
`;
