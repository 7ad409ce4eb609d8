"""Monitors of the service document, silent sources, missed windows and restarts, as facts that ticketing can use.

Read in this order: `agreements` (who is watched by which policy) -> `watching` (what batches and decisions leave) ->
`looks`, `found` (the loop over machines), `silence`, `passing` (windows) -> `rules_*` (the conditions) -> `store_*`.
"""
