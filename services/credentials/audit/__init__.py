"""The append-only, hash-chained record of everything that this service did, per client."""
