-- Whether an hour was found as expected, or accepted as it is.
SELECT coalesce(passed OR accepted_at IS NOT NULL, false) FROM ops.hours WHERE hour = %(hour)s;
