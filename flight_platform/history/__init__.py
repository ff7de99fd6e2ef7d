"""History: every position that ever was, in Postgres. Plain functions over a connection; no loop, no Kafka client."""
