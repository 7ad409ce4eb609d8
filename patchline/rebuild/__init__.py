"""Rebuild and replay: what services derived is made again from the raw topics, and what an adapter missed is told.

Owns: the shadow schemas `<service>_rebuild` while a rebuild runs, `<service>_replaced` after accepted differences.
Reads: `rmm.raw`, `rmm.raw.bulk`, the gateway's memory of what it published. Writes: a service's derived tables, in one
transaction; by `replay`, `rmm.raw.bulk`. Publishes nothing else (ADR 0019).
Read in this order: `commands` -> `run` (the two phases) -> `rules` (what belongs to the rebuilt state, when two states
are equal) -> `reader`, `folding` (from raw records to rows) -> `of_inventory`, `of_compliance` -> `shadow`, `comparing`
(SQL) -> `logs` (Kafka); `replay`.
"""
