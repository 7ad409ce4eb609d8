"""Cases: the table, which case an exposure belongs to, and the handler on a real database."""
