-- Rows of the same hour in earlier weeks and on earlier days, where it was as expected or accepted. An hour in which nobody
-- listened says nothing of what is usual.
SELECT
    coalesce(array_agg(h.rows) FILTER (
        WHERE extract(epoch FROM %(hour)s::timestamptz - h.hour) / 3600 %% 168 = 0
    ), '{}') AS weeks,
    coalesce(array_agg(h.rows) FILTER (
        WHERE h.hour >= %(hour)s::timestamptz - %(days)s * interval '24 hours'
    ), '{}') AS days
FROM ops.hours AS h
WHERE h.hour IN (
        SELECT %(hour)s::timestamptz - n * interval '168 hours' FROM generate_series(1, %(weeks)s) AS n
        UNION ALL
        SELECT %(hour)s::timestamptz - n * interval '24 hours' FROM generate_series(1, %(days)s) AS n
    )
    AND (h.passed OR h.accepted_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM (
            SELECT presence FROM ops.verdicts AS v WHERE v.hour = h.hour ORDER BY verdict_id DESC LIMIT 1
        ) AS newest
        WHERE newest.presence = 'missing'
    );
