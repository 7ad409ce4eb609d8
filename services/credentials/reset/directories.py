"""The directories that the worker acts in: one open connection each, as an operator described it last."""

from collections.abc import Callable

from chassis.postgres import Pool, transaction
from services.credentials.adapters.directory import Directory
from services.credentials.adapters.link import Link
from services.credentials.directory import store_directory
from services.credentials.reset.records import NotYet

PAUSE_SECONDS = 30.0


class Directories:
    """Opens what is asked for and keeps it; close it at the end."""

    def __init__(self, pool: Pool, connect: Callable[[Link], Directory]) -> None:
        """Read links from `pool`; `connect` sends nothing by itself."""
        self._pool = pool
        self._connect = connect
        self._open: dict[str, tuple[Link, Directory]] = {}

    async def of(self, name: str) -> Directory:
        """Return a directory by our name for it.

        Raises:
            NotYet: an operator switched it off, or took it away.
            WrongSetting: it cannot be reached as it is described.
        """
        async with transaction(self._pool) as tx:
            link = (await store_directory.links(tx, [name])).get(name)
        if link is None:
            raise NotYet(f"the directory {name} is switched off or not there any more", seconds=PAUSE_SECONDS)
        kept = self._open.get(name)
        if kept is not None and kept[0] == link:
            return kept[1]
        fresh = self._connect(link)
        self._open[name] = link, fresh
        if kept is not None:
            await kept[1].close()
        return fresh

    async def close(self) -> None:
        """Let go of all connections."""
        for _, directory in self._open.values():
            await directory.close()
        self._open.clear()
