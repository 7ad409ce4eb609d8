"""The keys of a local stack: made once, in files that only their owner reads."""

import base64
import secrets
from pathlib import Path
from typing import Final

from patchline.local import place
from patchline.stack.programs import OFFLINE_FILE, SECRET_FILES
from services.gateway.exposures import offline_key

_RANDOM: Final = ("sealing", "fingerprint", "approval")


def write_missing(folder: Path) -> None:
    """Write each key into `folder` that is not there yet."""
    for name in _RANDOM:
        _, file = SECRET_FILES[name]
        if not (folder / file).exists():
            place.write_private(folder / file, base64.b64encode(secrets.token_bytes(32)).decode())
    _, public_file = SECRET_FILES["quarantine"]
    if not (folder / public_file).exists():
        private, public = offline_key.new_pair()
        place.write_private(folder / OFFLINE_FILE, private)
        place.write_private(folder / public_file, public)
