"""The gateway's part of the command line: `patchline source`, `patchline client` and `patchline exposure`."""

from services.gateway.exposures.commands import exposure_app
from services.gateway.keys import key_commands
from services.gateway.registry.client_commands import client_app
from services.gateway.registry.source_commands import source_app
from services.gateway.registry.trial_commands import try_source

source_app.command("keys")(key_commands.list_keys)
source_app.command("rotate-key")(key_commands.rotate_key)
source_app.command("destroy-key")(key_commands.destroy_key)
source_app.command("test")(try_source)

__all__ = ["client_app", "exposure_app", "source_app"]
