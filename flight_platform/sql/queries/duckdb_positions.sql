-- What Postgres has of a stretch, as an analyst sees it. Numbers as text are whole: latitude has all its steps.
COPY (
    SELECT p.*
    FROM analytics.positions_between(%s::timestamptz, %s::timestamptz) AS p
) TO STDOUT (FORMAT csv, HEADER);
