"""What a client allows, breakers and the kill switch, and the promised times."""
