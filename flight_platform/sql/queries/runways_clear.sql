-- DELETE and not TRUNCATE: readers go on seeing the old runways until the new ones are committed.
DELETE FROM reference.runways;
