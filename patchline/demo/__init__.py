"""`patchline demo`: a simulated day through the real product, and a judgement of every effect.

Read in this order: `run` (the day, step by step) -> `house` (a stack of its own) and `registration` (who delivers) ->
`subscriber`, `tracker` and `database` (what came of it, through the interfaces that everyone has) -> `judgement`
(compared with the simulator's ledger) -> `report` and `display` (what people and machines see).
"""
