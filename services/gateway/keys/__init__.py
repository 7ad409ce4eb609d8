"""Keys: what seals the bodies and the secrets, and where bodies lie that are too large for a record.

`bodies` seals and opens; `data_keys` are per source, wrapped by `key_sealing`; `safe` puts the parts together for a
process.
"""
