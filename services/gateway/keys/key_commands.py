"""`patchline source keys`, `rotate-key` and `destroy-key`: the keys under which a source's bodies are kept."""

import getpass
from typing import Annotated, Final

import typer

from chassis import commands
from chassis.postgres import Connection
from services.gateway.keys import store_keys
from services.gateway.keys.key_sealing import FILE, KeyUnavailable
from services.gateway.keys.safe import key_sealers
from services.gateway.keys.store_keys import Destruction
from services.gateway.registry import asked, store_sources
from services.gateway.registry.operating import Json, now, operating
from services.gateway.registry.source_commands import SourceCommandSettings, SourceName, Vendor, existing

NEXT_READING: Final = "the next one is made when the sources are read again, within 5 seconds"


def list_keys(*, as_json: Json = False) -> None:
    """List the data keys of all sources: since when each seals, and when and by whom it was destroyed.

    Example: patchline source keys --json
    """
    commands.show(commands.run(_list()), title="Data keys", as_json=as_json)


async def _list() -> list[dict[str, object]]:
    async with operating() as tx:
        return await store_keys.every(tx)


def rotate_key(vendor: Vendor, name: SourceName, *, as_json: Json = False) -> None:
    """Seal a source's bodies with a new data key from now on; what the old one sealed still opens.

    Example: patchline source rotate-key ninjaone main
    """
    source_id = asked.source_id_in(vendor, name)
    if not commands.run(_rotate(source_id)):
        commands.stop(f"{source_id} has no key that seals: {NEXT_READING}", commands.NO)
    row = {"source": source_id, "retired": True, "next": NEXT_READING}
    commands.show([row], title="Data key", as_json=as_json)


async def _rotate(source_id: str) -> bool:
    async with operating() as tx:
        await existing(tx, source_id)
        return await store_keys.retire(tx, source_id, now())


def destroy_key(
    vendor: Vendor,
    name: SourceName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
    by: Annotated[str | None, typer.Option(help="Who does it, for the record. [default: who is logged in]")] = None,
    as_json: Json = False,
) -> None:
    """Destroy all data keys of a source that serves nobody any more, and disable it. Its bodies never open again.

    Refused while the source still serves a client: end its mappings first (patchline client unmap).

    Example: patchline source destroy-key ninjaone northwind
    """
    source_id = asked.source_id_in(vendor, name)
    past = commands.run(_clients_of(source_id))
    if not yes:
        _ask(source_id, past)
    keys = commands.run(_destroy(source_id, by or getpass.getuser()))
    told = commands.run(_tell(source_id))
    row = {"source": source_id, "keys_destroyed": keys, "enabled": False, "also_forgotten_by": told}
    commands.show([row], title="Destroyed", as_json=as_json)


def _ask(source_id: str, past: list[str]) -> None:
    whose = f" of {', '.join(past)}" if past else ""
    commands.console.print(
        f"Every body{whose} that {source_id} ever delivered becomes unreadable: in Kafka, in the spool, among the dead "
        "letters and blobs. No replay and no rebuild can use them again. Events made of them stay.",
        markup=False,
        highlight=False,
    )
    if typer.prompt(f"Type {source_id} to go on", default="", show_default=False) != source_id:
        commands.stop("nothing was destroyed", commands.NO)


async def _clients_of(source_id: str) -> list[str]:
    async with operating() as tx:
        return await _once_served(tx, source_id)


async def _once_served(tx: Connection, source_id: str) -> list[str]:
    """Lock the source and return the clients that it once served; stop if it still serves one."""
    await existing(tx, source_id)
    clients = await store_keys.served(tx, source_id, now())
    if still := [client for client, is_served in clients.items() if is_served]:
        commands.stop(
            f"{source_id} still serves {', '.join(still)}: one key seals the bodies of all its clients, so none was "
            "destroyed. End its mappings first: patchline client unmap CLIENT SOURCE ORGANISATION",
            commands.NO,
        )
    return list(clients)


async def _destroy(source_id: str, by: str) -> int:
    async with operating() as tx:
        await _once_served(tx, source_id)  # again: whoever was asked may have taken a while
        await store_sources.set_enabled(tx, source_id, enabled=False)
        destroyed = await store_keys.destroy(tx, source_id, Destruction(by, now()))
        if destroyed == 0 and not await store_keys.unforgotten(tx, source_id):
            commands.stop(f"{source_id} has no data key", commands.NO)
    return destroyed


async def _tell(source_id: str) -> list[str]:
    """Have what wrapped the keys forget them, too, and return what did; again after one that could not be reached."""
    async with operating() as tx:
        names = await store_keys.unforgotten(tx, source_id)
    async with key_sealers(commands.settings_of(SourceCommandSettings)) as sealers:
        for name in names:
            if name not in sealers:
                commands.stop(
                    f"the keys are destroyed here; {name} is not set up here, so it was not told", commands.NO
                )
            try:
                await sealers[name].forget(source_id)
            except KeyUnavailable as error:
                raise KeyUnavailable(f"the keys are destroyed here, but {error}; run this command again") from error
            async with operating() as tx:
                await store_keys.forgotten(tx, source_id, name, now())
    return [name for name in names if name != FILE]
