-- Whether somebody may still see what was deleted before the transaction %(before)s: then VACUUM keeps it, too.
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
        AND (datname = current_database() OR backend_type = 'walsender')
        AND greatest(age(backend_xmin), age(backend_xid)) > age(%(before)s::xid)
);
