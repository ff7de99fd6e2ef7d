-- Kafka forgot records before history read them: history goes on at the log's first offset. The hole stays visible in
-- the ledger, and the stretch of time becomes a gap.
WITH skipped AS (
    UPDATE ops.offsets
    SET next_offset = %(first_offset)s
    WHERE topic = %(topic)s AND kafka_partition = %(partition)s AND next_offset < %(first_offset)s
    RETURNING kafka_partition
)
INSERT INTO ops.gaps (hop, from_time, to_time, reason)
SELECT
    'history',
    coalesce(
        (SELECT max(last_time) FROM ops.ledger WHERE topic = %(topic)s AND kafka_partition = %(partition)s),
        now()
    ),
    now(),
    format(
        'Kafka partition %%s of %%s expired before it was read: its log starts at offset %%s',
        kafka_partition, %(topic)s::text, %(first_offset)s
    )
FROM skipped;
