-- Drops the leaf of an hour where it is empty, old, judged or compacted, and nobody is in it: true where it is gone.
-- The writer that comes with a late row waits for this lock, finds no leaf and makes it again.
SELECT history.drop_leaf(%(hour)s);
