-- The newest judgement as the hour's own. Row locks make two judges take turns; an acceptance that has lapsed is gone.
INSERT INTO ops.hours AS h (hour, rows, closed_at, checked_at, passed)
VALUES (%(hour)s, %(rows)s, %(judged_at)s, %(judged_at)s, %(passed)s)
ON CONFLICT (hour) DO UPDATE SET
    rows = excluded.rows,
    closed_at = coalesce(h.closed_at, excluded.closed_at),
    checked_at = excluded.checked_at,
    passed = excluded.passed,
    accepted_at = CASE WHEN %(keeps)s THEN h.accepted_at END,
    accepted_by = CASE WHEN %(keeps)s THEN h.accepted_by END,
    accepted_reason = CASE WHEN %(keeps)s THEN h.accepted_reason END;
