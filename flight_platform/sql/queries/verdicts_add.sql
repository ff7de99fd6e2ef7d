-- One judgement more of an hour.
INSERT INTO ops.verdicts (hour, passed, presence, rows, failures)
VALUES (%(hour)s, %(passed)s, %(presence)s, %(rows)s, %(failures)s)
RETURNING judged_at;
