/**
 * The tables of the block path. Plain jobs rest by the hundred in one row of `block`; what happens to them is appended to `claim` and `outcome`. Nothing
 * is updated or deleted: the tables have slots that are emptied as a whole, when nothing in them is wanted any more.
 *
 * Ids: the sequence of job ids steps by 512, so that a block and each of its places have numbers of their own, in the order of all ids.
 */
export const blockSlots = 8;

export const blockTables = `
ALTER SEQUENCE tensile.job_id INCREMENT BY 512 START WITH 512;
SELECT setval('tensile.job_id', (SELECT last_value / 512 * 512 + 512 FROM tensile.job_id));

-- lane: the name's number and the priority. open: something of it waited when it was made, or it has keys: what was claimed as a whole in its own commit is never looked for in its lane. body: payloads between U+0001; contexts and keys the same, each behind a "=", or none at all.
CREATE TABLE tensile.block (
  slot smallint NOT NULL, lane int NOT NULL, seq bigint NOT NULL, n smallint NOT NULL, at bigint NOT NULL, body text NOT NULL, contexts text,
  keys text COLLATE "C", open boolean NOT NULL DEFAULT true
) PARTITION BY LIST (slot);
ALTER TABLE tensile.block ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN keys SET STORAGE EXTERNAL;
-- The order of the index is the order of claims.
CREATE INDEX block_lane ON tensile.block (lane, seq) WHERE open;
CREATE INDEX block_seq ON tensile.block (seq);

-- Claims of a block follow each other: the next one begins where the last one ends; but for names with limits per key, see keyed.ts.
CREATE TABLE tensile.claim (
  slot smallint NOT NULL, block bigint NOT NULL, lo smallint NOT NULL, hi smallint NOT NULL, epoch bigint NOT NULL, claim bigint NOT NULL
) PARTITION BY LIST (slot);
CREATE UNIQUE INDEX claim_block ON tensile.claim (slot, block, lo);
CREATE INDEX claim_epoch ON tensile.claim (epoch);

-- kind 0: these places have succeeded. 1: they went to the row path. ranges: from, to (excluded), from, to ... results: one for each place, between U+0001.
CREATE TABLE tensile.outcome (
  slot smallint NOT NULL, id bigint NOT NULL, block bigint NOT NULL, kind smallint NOT NULL, n smallint NOT NULL, at bigint NOT NULL, epoch bigint NOT NULL,
  ranges smallint[] NOT NULL, results text
) PARTITION BY LIST (slot);
CREATE INDEX outcome_block ON tensile.outcome (block);
CREATE INDEX outcome_moved ON tensile.outcome (block) WHERE kind = 1;
CREATE INDEX outcome_id ON tensile.outcome (id);

DO $$ BEGIN
  FOR slot IN 0..${blockSlots - 1} LOOP
    EXECUTE format('CREATE TABLE tensile.block_%s PARTITION OF tensile.block FOR VALUES IN (%s)', slot, slot);
    EXECUTE format('CREATE TABLE tensile.claim_%s PARTITION OF tensile.claim FOR VALUES IN (%s)', slot, slot);
    EXECUTE format('CREATE TABLE tensile.outcome_%s PARTITION OF tensile.outcome FOR VALUES IN (%s)', slot, slot);
  END LOOP;
END $$;

-- Which slot takes new blocks, and up to where the succeeded are no longer kept: all outcomes below one, and so many of its first places.
CREATE TABLE tensile.block_shelf (
  slot smallint NOT NULL DEFAULT 0, opened_at bigint NOT NULL DEFAULT 0, floor_id bigint NOT NULL DEFAULT 0, floor_skip int NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO tensile.block_shelf DEFAULT VALUES;
`;
