"""Polling: what webhooks missed is found in the vendors' APIs and told as a difference. Start at `poll_app`.

`poll` (whose turn; read, compare, keep, tell) -> `rules_poll` -> `store_poll`; `readers` knows which API a source has.
"""
