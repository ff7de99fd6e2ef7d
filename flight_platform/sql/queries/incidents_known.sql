-- Whether what was noticed at that moment is known already.
SELECT FROM ops.incidents WHERE key = %(key)s AND %(at)s IN (opened_at, reopened_at);
