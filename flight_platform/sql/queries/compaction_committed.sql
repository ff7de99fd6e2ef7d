-- Where the numbers of transactions stand: what has committed by now is seen by every snapshot that is all after this.
SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text;
