"""`python -m faults`: real faults against the real product, judged by the simulator's ledger.

Read in this order: `registry` (which faults there are) -> `world` (the running product and its load) -> `judging`
(compared with the ledger) -> `kills` (processes that die) -> `report` (what `build/reports/faults.json` says).
`bound` ends a run that takes too long.
"""
