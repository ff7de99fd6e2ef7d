-- One gap.
SELECT gap_id, hop, source, from_time, to_time, reason, filled_at FROM ops.gaps WHERE gap_id = %(gap_id)s;
