"""The door: who delivers is checked, and the bytes are durable before anyone is answered. Start at `accept_app`.

`accept` (one request; `agents` those of inventory agents) -> `verification` (who) -> `keeping` (sealed) -> `ways`
(which lane) -> `durable` (Kafka, else the spool, behind a breaker). Whom it believes: `known_sources`, with
`snapshot_file` for the time without a database. `drain` empties the spool. `exposures`: feeds, redacted before they are
kept (`feeds`), and links by which people approve (`approvals`).
"""
