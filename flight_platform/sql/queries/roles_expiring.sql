-- Roles of this database that log in, and whose password is not valid for much longer.
SELECT rolname AS role, rolvaliduntil AS expires_at
FROM pg_roles
WHERE rolcanlogin
    AND rolvaliduntil < %(until)s
    AND isfinite(rolvaliduntil)
    AND has_database_privilege(rolname, current_database(), 'CONNECT')
ORDER BY rolname;
