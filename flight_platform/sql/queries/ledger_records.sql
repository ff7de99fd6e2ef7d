-- Records that history took in a stretch of wall-clock time; index ledger_written_at finds the blocks.
SELECT coalesce(sum(records), 0) FROM ops.ledger WHERE written_at >= %(from_time)s AND written_at < %(to_time)s;
