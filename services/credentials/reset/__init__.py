"""Making it so: the steps of a case, each looked up, acted, read back and recorded once."""
