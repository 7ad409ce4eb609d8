"""Kept bodies in clear: the judge compares them with what was sent, so it opens them as the gateway does."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from chassis.errors import TRANSIENT
from chassis.settings import with_password
from contracts.errors import UndecodableEvent
from contracts.raw import delivery_of
from services.gateway.keys.bodies import Bodies, Unopened
from services.gateway.keys.data_keys import KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.safe import connected
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.keys.store_blobs import PostgresBlobs

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 0.5
_ROLE: Final = "gateway_writer"


class Evidence:
    """Opens the bodies of raw records, for as long as it takes: the stack may be in trouble while it is judged."""

    def __init__(self, bodies: Bodies) -> None:
        """Open with `bodies`."""
        self._bodies = bodies

    async def body(self, record: Any) -> bytes:
        """Return the body of a raw record in clear, and the value of any other as it is; so, too, what never opens."""
        value: bytes = record.value or b""
        if not any(name == "key_id" for name, _ in record.headers):
            return value
        try:
            delivery = delivery_of(record.headers, value)
        except UndecodableEvent:
            return value
        while True:
            try:
                [opened] = await self._bodies.opened([delivery])
            except TRANSIENT as error:
                log.info("cannot open a body yet", extra={"reason": str(error) or type(error).__name__})
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return value if isinstance(opened, Unopened) else opened.body


def evidence(settings: Mapping[str, str]) -> Evidence:
    """Return what opens the bodies of the local stack that `settings` describe: its files are ours to read."""
    parts = urlsplit(settings["PATCHLINE_OPERATOR_URL"])
    url = urlunsplit(parts._replace(netloc=f"{_ROLE}@{parts.netloc.rpartition('@')[2]}"))
    dsn = with_password(url, Path(settings["PATCHLINE_OPERATOR_PASSWORD_FILE"]).with_name(_ROLE))
    connecting = partial(connected, dsn)
    sealer = FileSealer(read_sealing_key(Path(settings["PATCHLINE_SEALING_KEY_FILE"])))
    return Evidence(Bodies(KeyRing(connecting, {FILE: sealer}), PostgresBlobs(connecting)))
