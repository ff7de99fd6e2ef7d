INSERT INTO ops.audit (actor, action, subject, reason, detail)
VALUES (%(actor)s, %(action)s, %(subject)s, %(reason)s, %(detail)s)
RETURNING audit_id;
