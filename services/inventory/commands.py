"""`patchline asset`: what inventory knows, for people and machines. What is read here is read under row-level security.

What is decided by hand, which assets are one machine, stands in `commands_merge`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Final, LiteralString
from uuid import UUID

import asyncpg
import typer

from chassis import commands
from chassis.postgres import Connection
from contracts.events.asset import AssetMember
from services.inventory import rules_merges, store, store_merges
from services.inventory.rules import Asset
from services.inventory.rules_labels import labels_of

asset_app = typer.Typer(no_args_is_help=True, help="The machines that inventory knows.")

MOMENTS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
LATEST: Final = datetime.max.replace(tzinfo=UTC)

Client = Annotated[str | None, typer.Option("--client", help="Only this client's, by name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@asset_app.command("list")
def list_assets(*, client: Client = None, as_json: Json = False) -> None:
    """List the assets that are not removed; those that are one machine once, as they are published.

    Example: patchline asset list --client "Northwind Dental" --json
    """
    rows = commands.run(_assets(client))
    if rows is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    shown = rows if as_json else [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(shown, title="Assets", as_json=as_json)


@asset_app.command("show")
def show_asset(
    device: Annotated[str, typer.Argument(help="Its host name, its id at the source, or its asset id.")],
    *,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=MOMENTS, help="What was true then, by all that we know now. UTC."),
    ] = None,
    applications: Annotated[
        bool, typer.Option("--applications", help="Show the applications that are on it now, instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what is believed of a device: each word, who said it, when it was true from, and when we came to know.

    It is folded from history alone, so it also proves what `patchline asset list` shows. Of applications only what is
    there now is known, where a source lists them.

    Example: patchline asset show acme-dc01 --as-of 2025-01-15T09:00:00

    Example: patchline asset show acme-dc01 --applications
    """
    if applications:
        _show_applications(device, as_of, as_json=as_json)
        return
    moment = as_of.replace(tzinfo=UTC) if as_of else LATEST
    rows = commands.run(_words(device, moment))
    if rows is None:
        commands.stop(f"there is no device called {device!r}; see: patchline asset list", commands.NO)
    shown = [dict(row) for row in rows]
    commands.show(shown, title=f"{device}, {as_of or 'now'}", as_json=as_json)


def _show_applications(device: str, as_of: datetime | None, *, as_json: bool) -> None:
    if as_of is not None:
        commands.stop("--as-of: no history of applications is kept; leave it out", commands.WRONG_USE)
    rows = commands.run(_applications(device))
    if rows is None:
        commands.stop(f"there is no device called {device!r}; see: patchline asset list", commands.NO)
    columns = None if as_json else APPLICATIONS_FOR_PEOPLE
    shown = [{name: row[name] for name in columns or row.keys()} for row in rows]
    commands.show(shown, title=f"{device}: applications", as_json=as_json)


APPLICATIONS_FOR_PEOPLE: Final = ("name", "version", "publisher", "listed_at", "device")
"""The columns that fit a terminal; the rest is in the JSON."""

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
    SELECT set_config('search_path', 'inventory', true),
           set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""


@asynccontextmanager
async def operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator in inventory's schema, for all clients."""
    async with commands.operator() as connection, connection.transaction():
        await connection.execute(SEE_ALL_TENANTS)
        yield connection


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


async def _assets(client: str | None) -> list[dict[str, object]] | None:
    """Return the assets, of all clients or of one; `None`: there is no such client."""
    async with operating() as tx:
        if client is not None and not await tx.fetchval(IS_CLIENT, client):
            return None
        rows = await tx.fetch(ASSETS, client)
        memberships = await store_merges.every(tx)
        kept = await store.look(tx, memberships)
    merged = rules_merges.by_speaker(kept, memberships)
    hidden = {str(each) for each in memberships} - {str(each) for each in merged}
    one_each = [dict(row) for row in rows if row["asset"] not in hidden]
    return [_as_one(row, merged.get(UUID(str(row["asset"])))) for row in one_each]


def _as_one(row: dict[str, object], one: tuple[Asset, tuple[AssetMember, ...]] | None) -> dict[str, object]:
    """Return a row of the list; of several assets that are one machine the one of all."""
    if one is None:
        return {**row, "members": []}
    asset, members = one
    labels = labels_of(asset.said)
    told = {name: word for name, word in asset.said.items() if name in row}
    concluded = {
        name: word
        for name, label in (("tier", labels.tier), ("os_family", labels.os_family), ("ephi", labels.ephi))
        for name, word in ((name, label.value), (f"{name}_from", label.basis))
    }
    seen = {"first_seen_at": asset.first_seen_at, "last_seen_at": asset.last_seen_at, "asset": str(asset.asset_id)}
    return {**row, **told, **concluded, **seen, "members": [f"{each.source}/{each.device}" for each in members]}


DEVICES: Final[LiteralString] = """
    WITH named AS (
        SELECT asset_id FROM inventory.asset WHERE hostname = $1 OR device = $1 OR asset_id::text = $1
    ), one AS (
        SELECT other.asset_id
        FROM inventory.asset_merge AS own JOIN inventory.asset_merge AS other USING (surviving_id)
        WHERE own.asset_id IN (SELECT asset_id FROM named)
    )
    SELECT asset_id, source, device FROM inventory.asset
    WHERE asset_id IN (SELECT asset_id FROM named UNION SELECT asset_id FROM one)
    ORDER BY source, device
"""
WORDS: Final[LiteralString] = """
    SELECT $1::text AS source, $2::text AS device, field, word #>> '{}' AS word, effective_at AS since, type,
           recorded_at AS known_since, event_id::text AS event
    FROM inventory.words_as_of($1, $2, $3)
"""


APPLICATIONS: Final[LiteralString] = """
    SELECT application.name, application.version, application.publisher, application.architecture, application.origin,
           coalesce(application.added_at, listing.listed_at) AS listed_at, asset.source, asset.device
    FROM inventory.asset
    JOIN inventory.application USING (asset_id) JOIN inventory.application_listing AS listing USING (asset_id)
    WHERE asset.asset_id = ANY($1::uuid[])
    ORDER BY application.name, application.version, asset.source, asset.device, application.application_id
"""


async def _applications(device: str) -> list[asyncpg.Record] | None:
    """Return the applications on every device of that name, and of all that are one with it; `None`: there is none."""
    async with operating() as tx:
        devices = await tx.fetch(DEVICES, device)
        return await tx.fetch(APPLICATIONS, [each["asset_id"] for each in devices]) if devices else None


async def _words(device: str, as_of: datetime) -> list[asyncpg.Record] | None:
    """Return the words on every device of that name, and of all that are one with it; `None`: there is none."""
    async with operating() as tx:
        devices = await tx.fetch(DEVICES, device)
        words = [await tx.fetch(WORDS, each["source"], each["device"], as_of) for each in devices]
        return [row for each in words for row in each] if devices else None
