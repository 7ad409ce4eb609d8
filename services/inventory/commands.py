"""`patchline asset`: what inventory knows, for people and machines. Reads under row-level security, writes nothing."""

from typing import Annotated, Final, LiteralString

import asyncpg
import typer

from chassis import commands
from chassis.postgres import Connection

asset_app = typer.Typer(no_args_is_help=True, help="The machines that inventory knows.")

Client = Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@asset_app.callback()
def _asset() -> None:
    """Keep `list` a command of its own: an app with a single command would swallow its name."""


@asset_app.command("list")
def list_assets(*, client: Client = None, as_json: Json = False) -> None:
    """List the assets that are not removed.

    Example: patchline asset list --client "Northwind Dental" --json
    """
    rows = commands.run(_assets(client))
    if rows is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    shown = [dict(row) for row in rows]
    if not as_json:
        shown = [{name: row[name] for name in FOR_PEOPLE} for row in shown]
    commands.show(shown, title="Assets", as_json=as_json)


FOR_PEOPLE: Final = (
    "client",
    "hostname",
    "os_name",
    "os_version",
    "tier",
    "tier_from",
    "ephi",
    "online",
    "last_seen_at",
)
"""The columns that fit a terminal; the rest is in the JSON."""

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""
IS_CLIENT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM inventory.client WHERE name = $1)"
ASSETS: Final[LiteralString] = """
    SELECT coalesce(client.name, asset.tenant_id::text) AS client, asset.hostname, asset.os_family,
           asset.os_family_from, asset.os_name, asset.os_version, asset.os_build, asset.tier, asset.tier_from,
           asset.owner, asset.location, asset.serial, asset.tags, asset.ephi, asset.ephi_from, asset.online,
           asset.first_seen_at, asset.last_seen_at, asset.last_boot_at,
           asset.source, asset.device, asset.asset_id::text AS asset
    FROM inventory.asset
    LEFT JOIN inventory.client USING (tenant_id)
    WHERE asset.removed_at IS NULL AND ($1::text IS NULL OR client.name = $1)
    ORDER BY client.name, asset.hostname, asset.source, asset.device
"""


async def _assets(client: str | None) -> list[asyncpg.Record] | None:
    """Return the assets, of all clients or of one; `None`: there is no such client."""
    async with commands.operator() as connection, connection.transaction():
        return await _of_client(connection, client)


async def _of_client(connection: Connection, client: str | None) -> list[asyncpg.Record] | None:
    await connection.execute(SEE_ALL_TENANTS)
    if client is not None and not await connection.fetchval(IS_CLIENT, client):
        return None
    return await connection.fetch(ASSETS, client)
