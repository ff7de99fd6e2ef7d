-- One judgement more of an hour.
INSERT INTO ops.verdicts (hour, passed, presence, rows, failures, reported)
VALUES (%(hour)s, %(passed)s, %(presence)s, %(rows)s, %(failures)s, %(reported)s)
RETURNING judged_at;
