-- What a role could do beyond its grants; no row where there is no such role.
SELECT
    rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolname = current_user
    OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS powerful
FROM pg_roles
WHERE rolname = %s;
