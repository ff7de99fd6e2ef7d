-- The hours of a batch are entered; answers with those that have chunks.
SELECT history.enter_hours(%s::integer[]);
