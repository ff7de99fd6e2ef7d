-- The databases that this role owns and that anybody may enter, as everybody may enter a new one.
SELECT datname
FROM pg_database
WHERE
    datdba = current_user::regrole AND datallowconn
    AND (datacl IS NULL OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0));
