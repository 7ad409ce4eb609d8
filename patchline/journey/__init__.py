"""`patchline journey ID`: where one webhook went, from its delivery to the ticket.

Read in this order: `commands` (what is typed, and which deliveries it is about) -> `store` and `logs` (what the tables
and the topics know of them) -> `records` (what that is) -> `rules` (the tree that they make).
"""
