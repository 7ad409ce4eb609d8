"""Exposed credentials on their way in."""
