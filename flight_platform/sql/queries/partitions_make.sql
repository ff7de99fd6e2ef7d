-- Makes the leaf of an hour: true where this call made it.
SELECT history.make_leaf(%s);
