-- DELETE and not TRUNCATE: readers go on seeing the old airports until the new ones are committed.
DELETE FROM reference.airports;
