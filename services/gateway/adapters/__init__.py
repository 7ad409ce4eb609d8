"""The outside systems that the gateway calls: the vendors' APIs, read only."""
