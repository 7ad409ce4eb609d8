"""`make proof-obligations`: what the obligation engine promises in figures, each beside its floor of the same run."""
