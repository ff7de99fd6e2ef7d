"""Real servers on a bare machine, for the demonstration and the tests: Kafka, PostgreSQL, Tile38 or its stand-in.

What belongs here finds, prepares and runs a server on the loopback. What does not: clients of them, and anything
that runs in production.
"""
