DELETE FROM ops.quarantine WHERE topic = %s AND kafka_partition = %s AND kafka_offset = %s;
