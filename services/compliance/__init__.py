"""Compliance: what every machine owes, whether it has it, and who says so.

Owns: the catalog; the evidence of each (source, device, patch), folded so that order does not matter; one obligation
per (asset, requirement) with its history and witnesses; the figures.
Reads: `rmm.events`, `inventory.assets`, `clients`, `tickets`, `credentials.events` (owners' keys).
Writes: `compliance.events`, `compliance.figures`. Calls no vendor.
Read in this order: `app` (wiring) -> `handlers` (load, fold, save) -> `evaluation` (what follows from it) -> `rules`
(the states), `rules_proof` (a claim is not a proof), `rules_clock` (which deadline counts), `rules_fold` (registers),
`rules_deadline`, `rules_figures` ->
`store*` (SQL) -> `loops`, `timers`, `rechecks`, `figures` (what happens without an event) -> `catalog/` -> `commands`.
The state table for people is docs/patch-state.md.
"""
