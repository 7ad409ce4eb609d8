"""Who is who: accounts read from each client's directories, what kind each is, and the hygiene of them all."""
