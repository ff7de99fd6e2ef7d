-- The block list, each registration with the address that the table of aircraft gives it now: a row for each, should
-- it give several. A registration is compared without its hyphen, which not every table writes.
SELECT
    b.rule_id, b.icao24, b.registration, b.callsign, b.treatment, b.since, b.until, b.reason, b.added_at, b.added_by,
    coalesce(b.icao24, a.icao24) AS address
FROM ops.block_list AS b
LEFT JOIN reference.aircraft AS a
    ON b.registration IS NOT NULL AND replace(upper(a.registration), '-', '') = replace(b.registration, '-', '')
ORDER BY b.rule_id, a.icao24;
