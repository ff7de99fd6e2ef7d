SELECT revision FROM ops.block_list_revision;
