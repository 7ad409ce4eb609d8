"""Priority: KEV, EPSS, CVSS and decision trees, each decision logged with what it was made from.

Owns: the tables (`tables/`), the log of decisions, overrides, forensic triages and what was recorded of them.
Reads: obligations and assets, the catalog with its feeds, clients' policies. Tells: `priority.decided.v1`,
`triage.changed.v1`.
Read in this order: `loop` (who is looked at, and when) -> `rules_needs` (what machines lack) -> `rules_priority`
(points, overrides, what is news) -> `rules_trees` (a table, and what is not known) -> `triages` -> `rules_asked`,
`rules_triage` (steps and clocks) -> `store_*` -> `commands`, `commands_triage`. For people: docs/priority.md.
"""
