-- Where history stands in each partition of a topic.
SELECT kafka_partition, next_offset FROM ops.offsets WHERE topic = %(topic)s;
