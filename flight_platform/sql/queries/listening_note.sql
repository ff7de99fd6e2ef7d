-- Until when a run of a feed has heard its source; it never goes back.
INSERT INTO ops.listening AS old (source, instance, started_at, heard_to)
VALUES (%(source)s, %(instance)s, %(started_at)s, %(source_clock)s)
ON CONFLICT (source, instance, started_at) DO UPDATE SET heard_to = greatest(old.heard_to, excluded.heard_to);
