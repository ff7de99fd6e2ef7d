-- What columns say, where the comment did not: how a confidence is to be read (docs/flights.md has how it was fitted), and
-- what heartbeats tell by source and by partition.
COMMENT ON COLUMN history.flights.takeoff_confidence IS 'Share of times inferred as surely as this one that were within two minutes of the truth, where that is known; 0 to 1';
COMMENT ON COLUMN history.flights.landing_confidence IS 'Share of times inferred as surely as this one that were within two minutes of the truth, where that is known; 0 to 1';
COMMENT ON COLUMN history.flights.departure_confidence IS 'Share of airports inferred as surely as this one that were right, where the truth is known; 0 to 1';
COMMENT ON COLUMN history.flights.arrival_confidence IS 'Share of airports inferred as surely as this one that were right, where the truth is known; 0 to 1';
COMMENT ON COLUMN analytics.flights.takeoff_confidence IS 'Share of times inferred as surely as this one that were within two minutes of the truth, where that is known; 0 to 1';
COMMENT ON COLUMN analytics.flights.landing_confidence IS 'Share of times inferred as surely as this one that were within two minutes of the truth, where that is known; 0 to 1';
COMMENT ON COLUMN analytics.flights.departure_confidence IS 'Share of airports inferred as surely as this one that were right, where the truth is known; 0 to 1';
COMMENT ON COLUMN analytics.flights.arrival_confidence IS 'Share of airports inferred as surely as this one that were right, where the truth is known; 0 to 1';

COMMENT ON COLUMN ops.heartbeats.counters IS 'Totals since its start, by outcome; of track also of each source: new:NAME, repeat:NAME';
COMMENT ON COLUMN ops.heartbeats.concerns IS 'What a person has to see to, by kind: credits, credentials; seconds for which a partition stands still, and for which one is unread, seen from outside';
