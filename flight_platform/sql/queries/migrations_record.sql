-- A migration was applied; stands in its transaction.
INSERT INTO ops.migrations (name, sha256) VALUES (%s, %s);
