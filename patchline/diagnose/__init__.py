"""`patchline diagnose`: one bundle for whoever helps, without a secret in it.

Read in this order: `commands` (what is typed) -> `bundle` (what is collected, and that a failure is a note) ->
`machine`, `pages`, `cluster`, `database` (where it comes from) -> `scrub` (what never leaves). Two walls stand: what is
collected is chosen by name, never "all but"; and every file is searched for the secrets of this machine, and for what
looks like one, before it is packed.
"""
