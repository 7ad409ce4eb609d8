"""House checks that no ready tool makes; `make check` runs them beside the ready ones."""
