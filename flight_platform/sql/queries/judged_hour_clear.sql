-- Gives the disk back.
TRUNCATE ops.judged_hour;
