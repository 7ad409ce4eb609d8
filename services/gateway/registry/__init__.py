"""The registry: clients, the sources that may deliver for them, and which organisation is whose."""
