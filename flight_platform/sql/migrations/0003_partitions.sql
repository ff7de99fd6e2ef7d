-- How a leaf of history.positions is made; partitions.py calls it with a lock_timeout and tries again.

-- The leaf of the hour that starts at `hour`; false where it is there already.
--
-- LIKE + CHECK + ATTACH and not PARTITION OF, which would block on the parent and let everything queue behind it.
-- The CHECK on the hour serves the planner: it excludes leaves by a condition on column `hour` of analytics.positions,
-- whose expression is the same. A CHECK on the range would serve nobody: ATTACH has no row to look at in a new table,
-- and each row would pay for it.
CREATE FUNCTION history.make_leaf(hour timestamptz) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    number CONSTANT integer := extract(epoch FROM hour) / 3600;
    leaf CONSTANT text := 'positions_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
BEGIN
    IF date_bin(interval '1 hour', hour, timestamptz 'epoch') <> hour THEN
        RAISE EXCEPTION '% is not the start of an hour', hour USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF hour < timestamptz '1990-01-01 00:00Z' OR hour > now() + interval '61 days' THEN
        RAISE EXCEPTION 'no leaf is made for %: before 1990, or more than 61 days ahead', hour
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    -- Before the lock too: whoever changes a leaf that is there (compaction) holds it for long. By pg_class and not by
    -- to_regclass, which would remember from before the lock that there is none.
    IF EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(history.leaf_lock_class(), number);
    IF EXISTS (SELECT FROM pg_class WHERE relname = leaf AND relnamespace = 'history'::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE history.%I (LIKE history.positions INCLUDING ALL, CONSTRAINT %I '
        'CHECK (date_bin(interval %L, time, timestamptz %L) = timestamptz %L))',
        leaf, leaf || '_hour', '1 hour', 'epoch', hour
    );
    EXECUTE format(
        'ALTER TABLE history.positions ATTACH PARTITION history.%I FOR VALUES FROM (%L) TO (%L)',
        leaf, hour, hour + interval '1 hour'
    );
    RETURN true;
END
$$;

COMMENT ON FUNCTION history.make_leaf IS 'Makes and attaches the leaf of an hour; false where it is there already';

-- With the hour's number (Unix time / 3600) it is the advisory lock of a leaf, for all who change one.
CREATE FUNCTION history.leaf_lock_class() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1818584678; -- "leaf" in ASCII

COMMENT ON FUNCTION history.leaf_lock_class IS 'First key of the advisory lock of a leaf; the second is the number of its hour, Unix time / 3600';
