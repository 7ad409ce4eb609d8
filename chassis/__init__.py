"""What every service stands on, and no domain word in it.

Start at `running` (one process from start to drain), then `consumer` (batches in), `outbox` and `relay` (events out).
"""
