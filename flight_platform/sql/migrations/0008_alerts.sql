-- Alerts that reach people at least once, sources that may lose data, and the stretches that they have lost.

-- What a feed knows of its source beside its times.
ALTER TABLE ops.heartbeats
    ADD COLUMN repeatable boolean,
    ADD COLUMN period_s real,
    ADD COLUMN concerns jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN ops.heartbeats.repeatable IS 'Of a feed: whether its source can be asked again for what was missed';
COMMENT ON COLUMN ops.heartbeats.period_s IS 'Of a feed: how often its source gives something at present, seconds';
COMMENT ON COLUMN ops.heartbeats.concerns IS 'What a person has to see to, by kind: credits, credentials';

ALTER TABLE ops.incidents
    ADD COLUMN cause text NOT NULL DEFAULT '',
    ADD COLUMN runbook text NOT NULL DEFAULT '',
    ADD COLUMN reopened integer NOT NULL DEFAULT 0,
    ADD COLUMN reopened_at timestamptz,
    ADD COLUMN seen_at timestamptz NOT NULL DEFAULT clock_timestamp();

COMMENT ON COLUMN ops.incidents.hop IS 'What it is about: a hop (source, feed, track, live, history) or another part of the platform';
COMMENT ON COLUMN ops.incidents.cause IS 'The likely cause as one word of a closed list, for whoever groups alerts';
COMMENT ON COLUMN ops.incidents.runbook IS 'Page of docs/runbooks that says what to do';
COMMENT ON COLUMN ops.incidents.reopened IS 'How often it came back within minutes of its all-clear: it flaps';
COMMENT ON COLUMN ops.incidents.reopened_at IS 'When it came back last';
COMMENT ON COLUMN ops.incidents.seen_at IS 'When the trouble was last seen';

-- One row a receiver and an event: a receiver that is down keeps nobody else from being told, or told twice.
CREATE TABLE ops.outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES ops.incidents ON DELETE CASCADE,
    event text NOT NULL CHECK (event IN ('opened', 'closed')),
    event_at timestamptz NOT NULL,
    receiver text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    given_up_at timestamptz,
    UNIQUE (incident_id, event, event_at, receiver)
);

CREATE INDEX outbox_due ON ops.outbox (next_try_at) WHERE delivered_at IS NULL AND given_up_at IS NULL;

COMMENT ON TABLE ops.outbox IS 'Who is to be told of an incident: one row for each receiver and event, tried until it is taken';
COMMENT ON COLUMN ops.outbox.outbox_id IS 'Number of the message; a receiver gets those of one incident in this order';
COMMENT ON COLUMN ops.outbox.incident_id IS 'The incident that it tells of';
COMMENT ON COLUMN ops.outbox.event IS 'opened or closed';
COMMENT ON COLUMN ops.outbox.event_at IS 'When that happened';
COMMENT ON COLUMN ops.outbox.receiver IS 'Digest of the receiver''s address: addresses hold passwords';
COMMENT ON COLUMN ops.outbox.attempts IS 'How often it was tried';
COMMENT ON COLUMN ops.outbox.next_try_at IS 'When it is tried next';
COMMENT ON COLUMN ops.outbox.delivered_at IS 'When the receiver took it';
COMMENT ON COLUMN ops.outbox.given_up_at IS 'When we stopped trying';

-- How far each source had come when somebody last looked: a feed that was away leaves no other trace of when it went.
CREATE TABLE ops.sources (
    source text PRIMARY KEY,
    repeatable boolean NOT NULL,
    clock timestamptz,
    watermark timestamptz,
    overflowed bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

COMMENT ON TABLE ops.sources IS 'How far each source had come when it was last seen, so that what it could not give becomes a gap';
COMMENT ON COLUMN ops.sources.source IS 'Name of the source';
COMMENT ON COLUMN ops.sources.repeatable IS 'Whether it can be asked again for what was missed';
COMMENT ON COLUMN ops.sources.clock IS 'Newest time that it has told';
COMMENT ON COLUMN ops.sources.watermark IS 'Newest event time that its feed has passed on';
COMMENT ON COLUMN ops.sources.overflowed IS 'Records that its feed has lost since it started: Kafka was away for longer than its disk holds';
COMMENT ON COLUMN ops.sources.seen_at IS 'When its feed was last seen alive';

ALTER TABLE ops.gaps
    ADD COLUMN cause text NOT NULL DEFAULT 'expired'
    CHECK (cause IN ('source_away', 'feed_away', 'overflowed', 'expired'));

-- At most one gap of a source and cause is open.
CREATE UNIQUE INDEX gaps_open ON ops.gaps (source, cause) WHERE to_time IS NULL;

COMMENT ON COLUMN ops.gaps.cause IS 'source_away, feed_away, overflowed (Kafka away for longer than the feed''s disk holds) or expired (unread in Kafka)';
