-- DELETE and not TRUNCATE: readers go on seeing the old aircraft until the new ones are committed.
DELETE FROM reference.aircraft;
