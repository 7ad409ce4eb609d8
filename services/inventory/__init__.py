"""Inventory: which machines there are and who they are.

Owns: one record per asset, folded field by field from what the RMMs say; the history of what they said; which
applications each asset has; which assets are one machine.
Reads: `rmm.events`, `clients`. Writes: `inventory.assets`. Decides nothing about patches.
Read in this order: `app` (wiring) -> `handlers` (load, decide, save) -> `rules_facts` (what an event says), `rules`
(the fold), `rules_labels` (tier, OS family, ePHI), `rules_news` (what is told), `applications` (the register of them)
-> `store` (SQL) -> `commands`. Assets that are one: `rules_merges` (the one record), `merging` (decides and tells),
`rules_identity` and `joining` (by serial number), `store_merges`, `commands_merge`. Machines that a person says are no
more: `retiring`, `commands_retire`.
"""
