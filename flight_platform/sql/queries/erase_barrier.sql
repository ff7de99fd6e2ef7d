-- Waits until every batch of history that had begun is committed; those that begin after it see what was committed before.
LOCK TABLE ops.offsets IN SHARE MODE;
