"""Policies: the file that a service manager writes, presets as data, versions, and whether it can be met at all."""
