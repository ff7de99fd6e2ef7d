-- What analysts take away with them. Each answer that `flight sql` writes for other programs leaves a row in the audit,
-- by the one function of theirs that writes. It runs with its owner's rights, and says itself who logged in.
CREATE FUNCTION analytics.audit_export(operator text, question text, row_count bigint, format text, reason text)
RETURNS bigint
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO ops.audit (actor, action, subject, reason, detail)
    VALUES (
        format('%s as %s', left(audit_export.operator, 100), session_user),
        'export',
        'answer to a question',
        left(audit_export.reason, 1000),
        jsonb_build_object(
            'format', left(audit_export.format, 100),
            'rows', audit_export.row_count,
            'question', left(audit_export.question, 10000),
            'question_sha256', encode(sha256(convert_to(audit_export.question, 'UTF8')), 'hex')
        )
    )
    RETURNING audit_id;
END;

COMMENT ON FUNCTION analytics.audit_export IS 'Writes into the audit that an answer leaves the platform, as `flight sql --csv` and `--json` do before they write it; answers with the number of the row. The question is kept up to 10,000 characters, its hash is of all of it';
COMMENT ON COLUMN ops.audit.actor IS 'Who: the operator, as the operating system or the run names them; of an answer also the role that asked';
COMMENT ON COLUMN ops.audit.subject IS 'About whom or what: address, registration, callsign, what was exported';
COMMENT ON COLUMN ops.audit.detail IS 'What came of it: counts by store, the rule; of an answer the question, its SHA-256, rows and format';
