-- Functions of the server that every role may call, and an analyst must not: large objects and logical messages are
-- storage that anybody may fill, and an advisory lock on one of our keys would stop the platform. The calling role keeps
-- them.
DO $$
DECLARE
    reserved regprocedure;
BEGIN
    FOR reserved IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (
                proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'pg_logical_emit_message')
                OR proname ~ '^pg_(try_)?advisory_'
            )
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', reserved);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO CURRENT_USER', reserved);
    END LOOP;
END
$$;
