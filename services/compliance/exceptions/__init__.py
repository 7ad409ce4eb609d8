"""Exceptions: asked for, ticketed, signed by the client's owner, in force, ended; exclusions; the registers of both."""
