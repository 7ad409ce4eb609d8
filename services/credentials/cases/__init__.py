"""Cases: which exposure belongs to which, what is decided about it, and what a person sees of it."""
