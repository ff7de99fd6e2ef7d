-- Rows of an hour, raw and chunks alike: what analysts see.
SELECT count(*) FROM analytics.positions_between(%(from_time)s::timestamptz, %(to_time)s::timestamptz);
