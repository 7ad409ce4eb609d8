"""Resets: what comes next, and the worker on a real database with a directory in memory."""
