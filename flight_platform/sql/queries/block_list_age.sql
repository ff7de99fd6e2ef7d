-- How long ago the youngest of these rules was made, seconds, by the database's own clock.
SELECT extract(epoch FROM clock_timestamp() - max(added_at))::double precision
FROM ops.block_list
WHERE rule_id = ANY(%(rule_ids)s);
