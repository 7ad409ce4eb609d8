"""Outside systems: directories behind one protocol, and mail."""
