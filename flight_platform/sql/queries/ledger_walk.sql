-- Walks the ledger of a topic on from where it was walked to: where a range does not begin where the one before it ended
-- becomes a fault, and the mark moves to the end. A partition has one writer, so what is behind the mark does not change.
WITH marks AS (
    SELECT
        o.kafka_partition,
        m.proved_from,
        m.proved_to,
        coalesce(m.proved_at, first_row.written_at) AS proved_at,
        coalesce(m.proved_to, first_row.from_offset) AS walk_from
    FROM ops.offsets AS o
    LEFT JOIN ops.ledger_marks AS m USING (topic, kafka_partition)
    LEFT JOIN LATERAL (
        SELECT from_offset, written_at
        FROM ops.ledger AS l
        WHERE l.topic = o.topic AND l.kafka_partition = o.kafka_partition
        ORDER BY from_offset
        LIMIT 1
    ) AS first_row ON true
    WHERE o.topic = %(topic)s
),
steps AS (
    SELECT
        m.kafka_partition,
        l.from_offset,
        l.to_offset,
        l.written_at,
        coalesce(max(l.to_offset) OVER behind, m.walk_from) AS reached,
        coalesce(max(l.written_at) OVER behind, m.proved_at) AS reached_at
    FROM marks AS m
    INNER JOIN ops.ledger AS l
        ON l.topic = %(topic)s AND l.kafka_partition = m.kafka_partition AND l.from_offset >= m.walk_from
    WINDOW behind AS (
        PARTITION BY m.kafka_partition ORDER BY l.from_offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
faults AS (
    INSERT INTO ops.ledger_faults (topic, kafka_partition, from_offset, to_offset, kind, from_time, to_time)
    SELECT
        %(topic)s,
        kafka_partition,
        least(reached, from_offset),
        greatest(reached, from_offset),
        CASE WHEN from_offset > reached THEN 'hole' ELSE 'overlap' END,
        reached_at,
        written_at
    FROM steps
    WHERE from_offset <> reached
    ON CONFLICT (topic, kafka_partition, from_offset, kind) DO NOTHING
)
INSERT INTO ops.ledger_marks AS known (topic, kafka_partition, proved_from, proved_to, proved_at)
SELECT
    %(topic)s,
    m.kafka_partition,
    coalesce(m.proved_from, m.walk_from),
    max(s.to_offset),
    max(s.written_at)
FROM marks AS m
INNER JOIN steps AS s USING (kafka_partition)
GROUP BY m.kafka_partition, m.proved_from, m.walk_from
ON CONFLICT (topic, kafka_partition) DO UPDATE SET
    proved_to = greatest(known.proved_to, excluded.proved_to),
    proved_at = greatest(known.proved_at, excluded.proved_at);
