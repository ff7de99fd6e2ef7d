-- Drops the leaf of history.chunks of a day, if there is one.
SELECT history.drop_chunk_leaf(%(start)s);
