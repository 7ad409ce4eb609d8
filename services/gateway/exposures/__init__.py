"""Exposed credentials on their way in: what is secret is gone before anything durable happens.

`rules_reduce` (pure: what of a body is kept, what is fingerprinted, what is dropped) by the `FeedRules` of
`rules_feeds` (one module per feed) -> `redaction` (with the gateway's key) -> `exposures.raw`. What cannot be read is
sealed to an offline key and kept by `quarantine`; `commands` shows and opens it.
"""
