-- Takes a buffer of chunk_copy.py: all columns of the table in their order.
COPY history.chunks FROM STDIN (FORMAT binary);
