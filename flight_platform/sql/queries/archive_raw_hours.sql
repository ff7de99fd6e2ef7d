-- The hours of a day that still have raw positions.
SELECT DISTINCT hour
FROM (
    SELECT date_bin(interval '1 hour', time, timestamptz 'epoch') AS hour
    FROM history.positions
    WHERE time >= %(start)s AND time < %(start)s + interval '24 hours'
) AS raw
ORDER BY hour;
