-- Where a batch goes that has rows which history has already; `ordinal` numbers them in the order of the buffer.
CREATE TEMP TABLE IF NOT EXISTS positions_staging (
    LIKE history.positions,
    ordinal integer GENERATED ALWAYS AS IDENTITY
);
TRUNCATE pg_temp.positions_staging RESTART IDENTITY;
