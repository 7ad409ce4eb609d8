"""How fast the stages are, each beside its floor, measured in the same run."""
