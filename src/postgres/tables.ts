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
