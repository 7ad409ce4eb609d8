"""Waiting at the command line for what the service says of something that was typed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from chassis.errors import MayWorkLater
from chassis.postgres import Connection
from services.compliance.exceptions import store_commands
from services.compliance.exceptions.store_commands import Filed, operating

T = TypeVar("T")
LOOK_SECONDS: Final = 0.2


class NotAnsweredYet(MayWorkLater):
    """What was typed is kept, but the service has not looked at it."""


async def looked_at(exception_id: UUID, wait_seconds: float) -> Filed:
    """Return the request once the service has looked at it.

    Raises:
        NotAnsweredYet: it has not, in that time.
    """

    async def look(tx: Connection) -> Filed | None:
        [found] = await store_commands.filed(tx, prefix=str(exception_id))
        return found if found.story else None

    return await _until(look, wait_seconds, f"the request {exception_id} is kept")


async def answered(signoff_id: UUID, wait_seconds: float) -> tuple[bool, str | None]:
    """Return whether a sign-off was counted, and why not.

    Raises:
        NotAnsweredYet: nobody looked at it in that time.
    """
    return await _until(lambda tx: store_commands.answered(tx, signoff_id), wait_seconds, "the signature is kept")


async def _until(look: Callable[[Connection], Awaitable[T | None]], seconds: float, kept: str) -> T:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        async with operating() as tx:
            found = await look(tx)
        if found is not None:
            return found
        if loop.time() >= until:
            raise NotAnsweredYet(f"{kept}, and looked at as soon as the compliance process runs")
        await asyncio.sleep(LOOK_SECONDS)
