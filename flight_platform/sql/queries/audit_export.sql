-- Says that an answer leaves the platform; in a transaction that writes, which an analyst's by default does not.
SELECT analytics.audit_export(%(operator)s, %(question)s, %(rows)s, %(format)s, %(reason)s);
