"""The only door from outside: deliveries are verified and made durable first, understood later.

Owns: clients (the tenants), sources with their secrets and the keys of their bodies, bodies too large for a record,
which vendor organisation is whose, the pollers' snapshots, exposures that could not be read, sealed.
Reads: webhooks over HTTP, the vendors' APIs, `rmm.raw`, `psa.raw`, `exposures.raw`. Writes: those (after the check of
the signature, before the answer; exposures redacted), `rmm.events`, `psa.events`, `exposures`, `clients`. Never decides
anything about patches or passwords.

Three processes: `accept` (start at `door.accept_app`), `translate` (`translation.translate_app`) and `poll`
(`polling.poll_app`). What they share: `registry`, `keys`, `exposures`, `vendors`, `adapters`. By hand: `commands`.
"""
