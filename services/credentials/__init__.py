"""Credentials: one case per exposed credential, reset safely or left to people, told to the owner, all provable.

Owns: cases, steps, identities, guards and breakers, approvals, the audit chain. Reads: `exposures`, `tickets`,
`clients`. Writes: `credentials.events`, the directories that clients gave us access to, and mail. Never stores a
password.
"""
