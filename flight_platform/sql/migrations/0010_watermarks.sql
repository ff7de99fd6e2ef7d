-- How far each hop is with each source; what stood still while nobody looked; when a source was heard.

ALTER TABLE ops.heartbeats ADD COLUMN watermarks jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ops.heartbeats.watermarks IS 'Of track, live and history: newest event time that it has taken, Unix milliseconds, by source';

-- A process says this of itself, when it is over: then it is known though Dagster was down all the time.
CREATE TABLE ops.lapses (
    lapse_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hop text NOT NULL,
    source text NOT NULL DEFAULT '',
    instance text NOT NULL,
    cause text NOT NULL,
    detail text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    from_time timestamptz,
    to_time timestamptz,
    repeatable boolean,
    settled_at timestamptz,
    CHECK (ended_at >= began_at)
);

CREATE INDEX lapses_unsettled ON ops.lapses (began_at) WHERE settled_at IS NULL;

COMMENT ON TABLE ops.lapses IS 'Stretches in which a hop stood still, as its own process saw it: what happened while nobody looked is read here';
COMMENT ON COLUMN ops.lapses.lapse_id IS 'Number of the lapse';
COMMENT ON COLUMN ops.lapses.hop IS 'The hop that stood still: source, feed, track, live or history';
COMMENT ON COLUMN ops.lapses.source IS 'Name of the source, for a source or a feed';
COMMENT ON COLUMN ops.lapses.instance IS 'The process that says so: of one that was dead, its successor';
COMMENT ON COLUMN ops.lapses.cause IS 'The cause as one word, of the same list as the incidents about hops';
COMMENT ON COLUMN ops.lapses.detail IS 'The cause in words';
COMMENT ON COLUMN ops.lapses.began_at IS 'When it last moved';
COMMENT ON COLUMN ops.lapses.ended_at IS 'When it moved again';
COMMENT ON COLUMN ops.lapses.from_time IS 'Event time that it had come to';
COMMENT ON COLUMN ops.lapses.to_time IS 'Event time with which it went on';
COMMENT ON COLUMN ops.lapses.repeatable IS 'Of a source or a feed: whether the source can be asked again for what was missed';
COMMENT ON COLUMN ops.lapses.settled_at IS 'When Dagster read it, and opened and closed the incident that it had missed';

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
