"""Clocks: durations, calendars, maintenance windows and what a change of the tz data moves.

Owns: the windows of the next thirteen months, which tz data was read when, the rules of every zone in it. Reads:
clients' policies. Tells: `tzdata.changed.v1`, `window.moved.v1`, `window.emptied.v1`, `deadline.moved.v1`.
Read in this order: `durations`, `names`, `releases` -> `windows` with `recurrence` (rules and moments) -> `changes`
(when clocks change) -> `loop` with `rules_spread` -> `tzdata` -> `store_*` -> `commands`. For people: docs/clocks.md.
"""
