"""The body of a dead letter in clear, for who may be the gateway: its role's password and what unwraps its keys."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from chassis import commands
from chassis.errors import WrongSetting
from chassis.settings import read
from contracts.errors import UndecodableEvent
from contracts.raw import PLAIN, RawDelivery, delivery_of
from services.gateway.keys.bodies import Unopened
from services.gateway.keys.safe import connected, opened_safe
from services.gateway.settings import GatewaySettings

SEALED: Final = "the body is sealed; with the gateway's own role and sealing key it is shown by --open"


def is_sealed(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether a record's value, or what its headers point at, is a sealed body."""
    return any(name == "key_id" and value != PLAIN.encode() for name, value in headers)


def opened(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> bytes:
    """Return a sealed body in clear; stop with a clear line where that is not allowed, or never works."""
    settings = gateway_settings()
    try:
        delivery = delivery_of(headers, value)
    except UndecodableEvent as error:
        commands.stop(f"its headers cannot be read: {error}", commands.NO)
    clear = commands.run(_opened(settings, delivery))
    if isinstance(clear, Unopened):
        commands.stop(clear.reason, commands.NO)
    return clear.body


def gateway_settings() -> GatewaySettings:
    """Return the settings of who may be the gateway; stop with a clear line where they are not given."""
    files = (Path(os.environ.get("PATCHLINE_HOME", ".patchline")) / "env", Path(".env"))
    try:
        return read(GatewaySettings, env_files=files)
    except WrongSetting as error:
        commands.stop(f"opening a body needs what the gateway has, its role and its key: {error}", commands.WRONG_USE)


async def _opened(settings: GatewaySettings, delivery: RawDelivery) -> RawDelivery | Unopened:
    async with opened_safe(settings, partial(connected, settings.dsn)) as safe:
        [clear] = await safe.bodies().opened([delivery])
    return clear
