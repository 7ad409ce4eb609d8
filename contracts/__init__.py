"""What the services say to each other: events, ids, order, topics and their codec.

Reads nothing, writes nothing, depends on pydantic only. Start at `topics`, then `events`, then `codec`.
"""
