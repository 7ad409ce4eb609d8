"""A simulated day of an MSP: a sandbox RMM that speaks its vendors' true wire formats, for the demo and the benchmarks.

Read in this order: `releases` and `fleet` (what there is), `script`, `stories`, `datto_day` and `day` (what happens),
`plan` (what is sent of it, with the ordinary dirt), `sender`, `ninjaone_api` and `datto_api` (what can be asked),
`ledger` (what must be true in the end). Everything follows from one seed. No service imports this room.

Apart from the day stand sandboxes: of a ticket system (`connectwise`), and of identity providers (`identities`: people,
what was done to them, and ways to fail; `entra`, `okta`, `google`: the same in each vendor's words).
"""
