"""`patchline client`: the MSP's clients, and which vendor organisation belongs to which of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from chassis import commands, outbox
from chassis.postgres import Connection
from contracts.envelope import Envelope, described
from contracts.ids import tenant_id
from contracts.topics import CLIENTS
from services.gateway.registry import clients, sources, store_clients, store_sources
from services.gateway.registry.clients import Client, ClientChange, Mapping
from services.gateway.registry.operating import Json, now, operating

client_app: Final = typer.Typer(no_args_is_help=True, help="Clients: whose devices they are, and their time zones.")

FOR_PEOPLE: Final = ("name", "zone", "owner_contact", "psa_company")
"""The columns that fit a terminal; the rest is in the JSON."""

ClientName = Annotated[str, typer.Argument(help="The client's name.")]
SourceText = Annotated[str, typer.Argument(help="The source, for example ninjaone/main.")]
Organisation = Annotated[str, typer.Argument(help="The vendor's id of the organisation.")]
Contact = Annotated[str | None, typer.Option(help="Who at the client may be told.")]
Company = Annotated[str | None, typer.Option(help="How the PSA knows the client.")]
Site = Annotated[str | None, typer.Option(help="Only this site of the organisation, by the vendor's id.")]
When: Final = "a date (its first instant in the client's zone) or a date and time"


@dataclass(frozen=True, slots=True)
class Place:
    """What a mapping is about, as it was typed."""

    client: str
    source_id: str
    organisation: str
    site: str | None


@client_app.command("add")
def add_client(
    name: ClientName,
    *,
    zone: Annotated[str, typer.Option(help="IANA time zone, for example Europe/Berlin, or its Windows name.")],
    owner_contact: Contact = None,
    psa_company: Company = None,
    as_json: Json = False,
) -> None:
    """Add a client and tell all services.

    Example: patchline client add "Northwind Dental" --zone Europe/Berlin --psa-company NWD
    """
    client = Client(
        tenant=tenant_id(name),
        name=name,
        zone=_zone(zone),
        owner_contact=owner_contact,
        psa_company=psa_company,
    )
    commands.run(_add(client))
    _show(client, as_json=as_json)


async def _add(client: Client) -> None:
    at = now()
    event = _announcement(client, at)
    async with operating(client.tenant) as tx:
        if not await store_clients.add(tx, client, at):
            first_name = await store_clients.name_of(tx, client.tenant) or client.name
            commands.stop(
                f"the name {client.name!r} is taken"
                + ("" if first_name == client.name else f": the client {first_name!r} was first added under it"),
                commands.NO,
            )
        await _publish(tx, event)


@client_app.command("change")
def change_client(
    name: ClientName,
    *,
    new_name: Annotated[str | None, typer.Option(help="Call the client this from now on.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA time zone.")] = None,
    owner_contact: Contact = None,
    psa_company: Company = None,
    as_json: Json = False,
) -> None:
    """Change the record of a client and tell all services; what is not named stays.

    Example: patchline client change "Northwind Dental" --zone Europe/Vienna
    """
    meant = None if zone is None else _zone(zone)
    change = ClientChange(name=new_name, zone=meant, owner_contact=owner_contact, psa_company=psa_company)
    if change == ClientChange():
        commands.stop("nothing to change; see: patchline client change --help", commands.WRONG_USE)
    _show(commands.run(_change(name, change)), as_json=as_json)


async def _change(name: str, change: ClientChange) -> Client:
    at = now()
    async with operating() as tx:
        before = await _client(tx, name)
        after = change.of(before)
        if after.name != before.name and await store_clients.load_for_update(tx, after.name) is not None:
            commands.stop(f"the name {after.name!r} is taken", commands.NO)
        if after != before:
            event = _announcement(after, at)
            await store_clients.save(tx, after, at)
            await _publish(tx, event)
    return after


@client_app.command("list")
def list_clients(
    *,
    mappings: Annotated[bool, typer.Option("--mappings", help="List which organisation is whose instead.")] = False,
    as_json: Json = False,
) -> None:
    """List the clients, or which vendor organisation belongs to which of them.

    Example: patchline client list --mappings --json
    """
    rows = commands.run(_list(mappings=mappings))
    if not (as_json or mappings):
        rows = [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(rows, title="Mappings" if mappings else "Clients", as_json=as_json)


async def _list(*, mappings: bool) -> list[dict[str, object]]:
    async with operating() as tx:
        rows = await (store_clients.every_mapping(tx) if mappings else store_clients.every(tx))
        return [dict(row) for row in rows]


@client_app.command("map")
def map_organisation(  # noqa: PLR0913 - one argument per option
    client: ClientName,
    source: SourceText,
    organisation: Organisation,
    *,
    site: Site = None,
    valid_from: Annotated[str | None, typer.Option("--from", help=f"Since when: {When}. [default: ever]")] = None,
    valid_to: Annotated[str | None, typer.Option("--to", help=f"Until when: {When}. [default: open]")] = None,
    as_json: Json = False,
) -> None:
    """Say that a vendor's organisation, or one site of it, belongs to a client. What waited for it is released.

    Example: patchline client map "Northwind Dental" ninjaone/main 42 --from 2026-03-01
    """
    place = _place(client, source, organisation, site)
    commands.run(_map(place, valid_from, valid_to))
    row = {"client": client, "source": place.source_id, "organisation": organisation, "site": site, "mapped": True}
    commands.show([row], title="Mapping", as_json=as_json)


async def _map(place: Place, valid_from: str | None, valid_to: str | None) -> None:
    async with operating() as tx:
        owner = await _client(tx, place.client)
        mapping = Mapping(
            source_id=place.source_id,
            organisation=place.organisation,
            site=place.site,
            tenant=owner.tenant,
            valid_from=_moment(valid_from, owner),
            valid_to=_moment(valid_to, owner),
        )
        if not mapping.is_possible:
            commands.stop("--to must be later than --from", commands.WRONG_USE)
        other = clients.overlapping(mapping, await _known_mappings(tx, place))
        if other is not None:
            whose = await store_clients.name_of(tx, other.tenant)
            commands.stop(
                f"{_named(place)} belongs to {whose!r} {_period(other)}; end that first: patchline client unmap "
                f'"{whose}" {place.source_id} {place.organisation} --to DATE',
                commands.NO,
            )
        await store_clients.add_mapping(tx, mapping)


@client_app.command("unmap")
def unmap_organisation(
    client: ClientName,
    source: SourceText,
    organisation: Organisation,
    *,
    site: Site = None,
    valid_to: Annotated[str | None, typer.Option("--to", help=f"The end: {When}. [default: now]")] = None,
    as_json: Json = False,
) -> None:
    """End an open mapping; what it said about the time before stays true.

    Example: patchline client unmap "Northwind Dental" ninjaone/main 42 --to 2026-09-01
    """
    place = _place(client, source, organisation, site)
    end = commands.run(_unmap(place, valid_to))
    row = {"client": client, "source": place.source_id, "organisation": organisation, "site": site, "ends": end}
    commands.show([row], title="Mapping", as_json=as_json)


async def _unmap(place: Place, valid_to: str | None) -> datetime:
    async with operating() as tx:
        owner = await _client(tx, place.client)
        known = await _known_mappings(tx, place)
        mapping = next((each for each in known if each.tenant == owner.tenant and each.valid_to is None), None)
        if mapping is None:
            commands.stop(f"{_named(place)} has no open mapping to {place.client!r}", commands.NO)
        end = _moment(valid_to, owner) or now()
        if not replace(mapping, valid_to=end).is_possible:
            commands.stop(f"the mapping begins at {mapping.valid_from}, after that", commands.WRONG_USE)
        await store_clients.end_mapping(tx, mapping, end)
    return end


async def _known_mappings(tx: Connection, place: Place) -> list[Mapping]:
    """Lock the source, so that two people do not map the same organisation at once, and return what is known."""
    if await store_sources.scheme_for_update(tx, place.source_id) is None:
        commands.stop(f"there is no source {place.source_id}; see: patchline source list", commands.NO)
    return await store_clients.mappings_of_place(tx, place.source_id, place.organisation, place.site)


def _announcement(client: Client, at: datetime) -> Envelope:
    try:
        return clients.changed(client, at)
    except ValidationError as error:
        commands.stop(described(error), commands.WRONG_USE)


async def _publish(tx: Connection, event: Envelope) -> None:
    await outbox.enqueue_sequenced(tx, CLIENTS, [(event.subject, event)])


async def _client(tx: Connection, name: str) -> Client:
    client = await store_clients.load_for_update(tx, name)
    if client is None:
        commands.stop(f"there is no client called {name!r}; see: patchline client list", commands.NO)
    return client


def _zone(zone: str) -> str:
    found = clients.iana_zone(zone)
    if found is None:
        similar = clients.similar_zones(zone)
        hint = f"did you mean {' or '.join(similar)}?" if similar else "it is written like Europe/Berlin"
        commands.stop(f"{zone!r} is no IANA time zone of a place; {hint}", commands.WRONG_USE)
    return found


def _moment(text: str | None, client: Client) -> datetime | None:
    try:
        return None if text is None else clients.moment(text, client.zone)
    except ValueError:
        commands.stop(f"{text!r} is neither a date nor a date and time, like 2026-03-01", commands.WRONG_USE)


def _source_id(text: str) -> str:
    source_id = sources.named_source(text)
    if source_id is None:
        commands.stop(f"{text!r} is no source; it is written like ninjaone/main", commands.WRONG_USE)
    return source_id


def _place(client: str, source: str, organisation: str, site: str | None) -> Place:
    if not organisation.strip() or (site is not None and not site.strip()):
        commands.stop("the organisation or site is empty", commands.WRONG_USE)
    return Place(client, _source_id(source), organisation, site)


def _named(place: Place) -> str:
    site = "" if place.site is None else f", site {place.site}"
    return f"organisation {place.organisation}{site} of {place.source_id}"


def _period(mapping: Mapping) -> str:
    start = "since ever" if mapping.valid_from is None else f"from {mapping.valid_from}"
    return start if mapping.valid_to is None else f"{start} to {mapping.valid_to}"


def _show(client: Client, *, as_json: bool) -> None:
    row = {
        "name": client.name,
        "zone": client.zone,
        "owner_contact": client.owner_contact,
        "psa_company": client.psa_company,
        "tenant": str(client.tenant),
    }
    commands.show([row], title="Client", as_json=as_json)
