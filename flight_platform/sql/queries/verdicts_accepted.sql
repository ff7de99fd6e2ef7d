-- Whether an acceptance of the hour holds.
SELECT EXISTS (SELECT FROM ops.acceptances WHERE hour = %(hour)s AND lapsed_at IS NULL);
