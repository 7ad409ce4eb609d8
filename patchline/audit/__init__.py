"""The standing audit: two equations per source and hour, read from counters that advance with the watermarks.

Read in this order: `rules` (the equations) -> `store` (the counters) -> `barrier` (when an hour may be judged) ->
`standing` (the process that looks again and again) -> `commands` (`patchline audit flow`). It belongs to no service and
has a role of its own, `patchline_auditor`, which reads counters and nothing else (ADR 0020).
"""
