-- The hours of a day that the archive alone has.
SELECT hour
FROM ops.hours
WHERE
    hour >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND hour < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
    AND dropped_at IS NOT NULL;
