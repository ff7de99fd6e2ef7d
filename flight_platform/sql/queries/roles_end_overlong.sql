-- Ends the sessions of a role in this database whose statement runs, or whose transaction is open, for too long.
WITH overlong AS MATERIALIZED ( -- or the planner might end a session before it has asked how long it runs
    SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::double precision AS open_s, query
    FROM pg_stat_activity
    WHERE
        usename = %(role)s AND datname = current_database() AND pid <> pg_backend_pid()
        AND (
            state = 'active' AND query_start < clock_timestamp() - make_interval(secs => %(statement_s)s)
            OR xact_start < clock_timestamp() - make_interval(secs => %(transaction_s)s)
        )
)

SELECT pid, open_s, query FROM overlong WHERE pg_terminate_backend(pid);
