"""The watch: what stands still, who is told, and what was lost meanwhile.

said by the processes    heartbeats, holes, standstill, unread, dependencies
judged                   freshness (hops), conditions, credentials, shares (refusals, repeats)
acted upon               watchman (the round), alerts (incidents), gaps, outbox, alertmanager
while Postgres is away   outage, alone
"""
