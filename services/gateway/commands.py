"""The gateway's part of the command line: `patchline source` and `patchline client`."""

from services.gateway.client_commands import client_app
from services.gateway.source_commands import source_app

__all__ = ["client_app", "source_app"]
