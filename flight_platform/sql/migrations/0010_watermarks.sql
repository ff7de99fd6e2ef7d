-- How far each hop is with each source, and when a source was heard.

ALTER TABLE ops.heartbeats ADD COLUMN watermarks jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ops.heartbeats.watermarks IS 'Of track, live and history: newest event time that it has taken, Unix milliseconds, by source';

-- Who listened: a feed says so itself, so that the next one does not make a quiet hour look as if nobody had listened.
CREATE TABLE ops.listening (
    source text NOT NULL,
    instance text NOT NULL,
    started_at timestamptz NOT NULL,
    heard_to timestamptz NOT NULL,
    PRIMARY KEY (source, instance, started_at)
);

COMMENT ON TABLE ops.listening IS 'From when to when a source was listened to: one row a run of a feed, renewed each minute';
COMMENT ON COLUMN ops.listening.source IS 'Name of the source';
COMMENT ON COLUMN ops.listening.instance IS 'The feed among its like';
COMMENT ON COLUMN ops.listening.started_at IS 'When the feed started';
COMMENT ON COLUMN ops.listening.heard_to IS 'Newest time that the source has told it';
