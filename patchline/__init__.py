"""The `patchline` command: what people type. Starts, looks, repairs; decides nothing about patches."""
