-- Up to when the positions have left the database; NULL where all of them are there. A flight that began earlier cannot be
-- made anew, and keeps the row that it has.
SELECT max(hour) + interval '1 hour'
FROM ops.hours
WHERE dropped_at IS NOT NULL AND (restored_at IS NULL OR restored_at < dropped_at);
