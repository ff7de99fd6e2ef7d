-- What is known of an hour without counting its rows: what it was given, what was taken out, what must be missing.
-- A fault of the ledger touches the hours in which its records may lie: from the batch before it, which may have held
-- reports of an hour ago and more, to the batch after it.
SELECT
    (SELECT sum(rows) FROM ops.hour_counts WHERE hour = %(hour)s) AS counted,
    coalesce((SELECT rows FROM ops.hour_erasures WHERE hour = %(hour)s), 0) AS erased,
    ARRAY(
        SELECT format(
            '%%s of offsets %%s to %%s in partition %%s of the ledger', kind, from_offset, to_offset, kafka_partition
        )
        FROM ops.ledger_faults
        WHERE topic = %(topic)s
            AND from_time < %(hour)s::timestamptz + interval '1 hour' + %(lateness)s::interval
            AND to_time >= %(hour)s::timestamptz
        ORDER BY kafka_partition, from_offset
        LIMIT 5
    ) AS faults,
    ARRAY(
        SELECT format(
            '%%s%%s lost data from %%s to %%s: %%s',
            hop,
            CASE WHEN source <> '' THEN ' ' || source ELSE '' END,
            to_char(from_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
            coalesce(to_char(to_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'now'),
            reason
        )
        FROM ops.gaps
        WHERE filled_at IS NULL
            AND from_time < %(hour)s::timestamptz + interval '1 hour'
            AND coalesce(to_time, 'infinity') > %(hour)s::timestamptz
        ORDER BY from_time
        LIMIT 5
    ) AS gaps,
    (
        SELECT count(*)
        FROM ops.quarantine
        WHERE topic = %(topic)s
            AND quarantined_at >= %(hour)s::timestamptz
            AND quarantined_at < %(hour)s::timestamptz + interval '1 hour' + %(lateness)s::interval
    ) AS quarantined,
    -- What compaction wrote down when it swapped raw for chunks, against the chunks that are there now.
    ARRAY(
        SELECT format('its chunks hold %%s rows, and compaction wrote %%s', chunks.rows, h.chunk_rows)
        FROM ops.hours AS h
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(c.rows), 0) AS rows FROM history.chunks AS c WHERE c.hour = h.hour
        ) AS chunks
        WHERE h.hour = %(hour)s AND h.compacted_at IS NOT NULL AND h.dropped_at IS NULL AND chunks.rows <> h.chunk_rows
    ) AS unequal,
    -- What was written to the archive, against the chunks that it was written from; where these have changed since, it is
    -- written again. And the parts of a day against its file.
    ARRAY(
        SELECT format(
            'the archive has %%s rows with checksum %%s, the chunks %%s with %%s',
            archive_rows, archive_checksum, chunk_rows, chunk_checksum
        )
        FROM ops.hours
        WHERE hour = %(hour)s
            AND archived_at IS NOT NULL
            AND dropped_at IS NULL
            AND archived_chunk_checksum = chunk_checksum
            AND (archive_rows, archive_checksum) IS DISTINCT FROM (chunk_rows, chunk_checksum)
        UNION ALL
        SELECT format('the file %%s has %%s rows, its hours %%s', a.path, a.rows, parts.rows)
        FROM ops.archive AS a
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(h.archive_rows), 0) AS rows
            FROM ops.hours AS h
            WHERE h.hour >= a.day::timestamp AT TIME ZONE 'UTC'
                AND h.hour < (a.day + 1)::timestamp AT TIME ZONE 'UTC'
                AND h.archived_at IS NOT NULL
        ) AS parts
        WHERE a.day = (%(hour)s::timestamptz AT TIME ZONE 'UTC')::date AND a.rows <> parts.rows
    ) AS unlike_archive,
    (SELECT archive_rows FROM ops.hours WHERE hour = %(hour)s AND dropped_at IS NOT NULL) AS archived_rows;
