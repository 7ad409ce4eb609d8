"""People: who may approve, what they approved and how it is proven, and what the owner is told."""
