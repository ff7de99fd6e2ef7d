-- The file of a day was read again and is what is on record.
UPDATE ops.archive SET verified_at = now() WHERE day = %(day)s;
