"""Monitors of the service document, missed windows and restarts, as facts that ticketing can use."""
