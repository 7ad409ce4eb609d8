"""Ticketing: one ticket per problem, opened, kept up to date and resolved in the tracker that technicians use.

Owns: tickets, the devices each lists, and what is still to be done at the tracker (intents).
Reads: `compliance.events`, `credentials.events`, `clients`, `psa.events`. Writes: `tickets`, and the tracker itself.
Never decides what is a breach.

Two halves that meet in the `intent` table. What should be: `handlers` (load, decide, save) -> `rules` (one finding, one
ticket) -> `rules_desk` (a whole batch) -> `store`. Making it so: `worker` (whose turn) -> `effects` (look up, act, read
back, record) -> `rules_effects` (pure) -> `store_intents` -> `adapters`. What tickets say: `rules_text`; what a
case of exposed credentials adds: `rules_cases`. Two tickets of
one key: `reconciler` (finds them) -> `merging` -> `rules_merge` -> `store_merges`. What people do
there: `hints` (what was told) -> `rereading` (the ticket itself) -> `rules_hints` -> `store_hints`. By hand: `commands`
(`patchline ticket`).
"""
