-- The table of applied migrations, made before the first of them.
CREATE SCHEMA IF NOT EXISTS ops;

CREATE TABLE IF NOT EXISTS ops.migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE ops.migrations IS 'The migrations that made this schema';
COMMENT ON COLUMN ops.migrations.name IS 'Name of the file without its suffix';
COMMENT ON COLUMN ops.migrations.sha256 IS 'SHA-256 of its text, so that a later change of it is noticed';
COMMENT ON COLUMN ops.migrations.applied_at IS 'When it was applied';
