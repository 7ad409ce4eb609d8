"""Credentials: exposure cases, forced resets, owner notices, identity-provider adapters.

Owns: schema `credentials` (not made yet). Reads: `exposures`, `tickets`, `clients`. Writes: `credentials.events`.
Never stores a password. This is only its card: the service is a later issue.
"""
