-- Whether the positions of an hour have left the database: then there is nothing to count, and what was counted stays.
SELECT FROM ops.hours
WHERE hour = %(hour)s AND dropped_at IS NOT NULL AND (restored_at IS NULL OR restored_at < dropped_at);
