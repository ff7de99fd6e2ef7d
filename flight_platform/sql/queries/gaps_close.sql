-- The data begin again: the stretch has its end, five seconds late at most (the time between two looks).
UPDATE ops.gaps
SET to_time = greatest(%(to_time)s, from_time)
WHERE source = %(source)s AND cause = ANY(%(causes)s) AND to_time IS NULL;
