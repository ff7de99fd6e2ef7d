-- Removes the raw positions that the transaction's snapshot shows: those that came since then stay.
DELETE FROM history.positions
WHERE time >= %(hour)s::timestamptz AND time < %(hour)s::timestamptz + interval '1 hour';
