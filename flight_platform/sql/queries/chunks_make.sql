-- Makes the leaf of history.chunks of the day that holds an hour: true where this call made it.
SELECT history.make_chunk_leaf(%s);
