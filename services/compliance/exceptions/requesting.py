"""From what was typed to a request that the service looks at: who, which machines, which requirement, until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from chassis.postgres import Connection
from contracts import ids
from services.compliance.exceptions import store_commands
from services.compliance.exceptions.asking import NotAsked, control_of, moment_of
from services.compliance.exceptions.records import Control, Lane, Request
from services.compliance.exceptions.store_commands import Filed, Named
from services.compliance.rules_cause import SOURCE
from services.compliance.zones import zone_of

SHORTEST_PREFIX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Covers:
    """What it is to cover, as typed. Without a product it is everything on the machines."""

    client: str | None
    product: str | None
    train: str
    machines: Sequence[str]
    all_machines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For how long and how, as typed."""

    starts: str | None
    until: str
    lane: Lane | None
    renews: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed, who, and when."""

    covers: Covers
    terms: Terms
    reason: str
    controls: Sequence[str]
    by: str
    at: datetime


async def one_filed(tx: Connection, prefix: str) -> Filed:
    """Return the request whose id begins so.

    Raises:
        NotAsked: there is none, or several, or the beginning is too short to tell.
    """
    if len(prefix) < SHORTEST_PREFIX:
        raise NotAsked(f"name at least {SHORTEST_PREFIX} characters of the exception's id")
    found = await store_commands.filed(tx, prefix=prefix.lower())
    if len(found) != 1:
        raise NotAsked(f"{len(found)} exceptions begin with {prefix!r}; see: patchline exception list --all")
    return found[0]


async def request_of(tx: Connection, typed: Typed) -> Request:
    """Return the request that `typed` asks for; what a renewal leaves out is as it was.

    Raises:
        NotAsked: the client, a machine or the requirement is unknown, or something is missing.
    """
    before = await one_filed(tx, typed.terms.renews) if typed.terms.renews else None
    client = await _client(tx, typed, before)
    zone = zone_of(client.zone) or UTC
    requirement_id, title = await _requirement(tx, typed, before)
    machines = await _machines(tx, typed, client, before)
    controls = tuple(control_of(each) for each in typed.controls) or _controls(before)
    starts = moment_of(typed.terms.starts, zone) if typed.terms.starts else before.request.until if before else typed.at
    return Request(
        id=ids.event_id_of_fields(SOURCE, "exception", typed.at, str(client.tenant_id), title, typed.reason, typed.by),
        tenant_id=client.tenant_id,
        lane=typed.terms.lane or (before.request.lane if before else Lane.DEFERRAL),
        requirement_id=requirement_id,
        title=title,
        asset_ids=None if machines is None else tuple(sorted(machines)),
        machines=() if machines is None else tuple(sorted(machines.values())),
        reason=typed.reason,
        controls=controls,
        valid_from=max(starts, typed.at),
        until=moment_of(typed.terms.until, zone),
        renews=before.request.id if before else None,
        renewal=before.request.renewal + 1 if before else 0,
        requested_at=typed.at,
        requested_by=typed.by,
    )


async def _client(tx: Connection, typed: Typed, before: Filed | None) -> Named:
    name = typed.covers.client or (before.client if before else None)
    if name is None:
        raise NotAsked("--client: name the client")
    found = await store_commands.client(tx, name)
    if found is None or (before is not None and found.tenant_id != before.request.tenant_id):
        raise NotAsked(f"there is no client called {name!r} that this is about; see: patchline client list")
    return found


async def _requirement(tx: Connection, typed: Typed, before: Filed | None) -> tuple[UUID | None, str]:
    if typed.covers.product is not None:
        found = await store_commands.requirement(tx, typed.covers.product, typed.covers.train)
        if found is None:
            raise NotAsked(
                f"the catalog knows no {typed.covers.product}, {typed.covers.train}; see: patchline obligation list"
            )
        return found
    if before is not None:
        return before.request.requirement_id, before.request.title
    if typed.terms.lane is not Lane.ISOLATED:
        raise NotAsked("--product: name what is to be left undone; without it only --lane isolated can be asked for")
    return None, "every update"


async def _machines(tx: Connection, typed: Typed, client: Named, before: Filed | None) -> dict[UUID, str] | None:
    """Return the machines by id with their names; `None`: every machine of the client."""
    if typed.covers.all_machines and typed.covers.machines:
        raise NotAsked("--machine or --all-machines, not both")
    if typed.covers.all_machines:
        return None
    if not typed.covers.machines and before is not None:
        kept = before.request.asset_ids
        return (
            None if kept is None else await store_commands.machines(tx, client.tenant_id, [str(each) for each in kept])
        )
    found = await store_commands.machines(tx, client.tenant_id, typed.covers.machines)
    known = {name.lower() for name in found.values()} | {str(each) for each in found}
    if missing := [each for each in typed.covers.machines if each.lower() not in known]:
        raise NotAsked(f"{client.name} has no machine called {missing[0]!r}; see: patchline obligation list")
    if not found:
        raise NotAsked("--machine: name the machines, or say --all-machines")
    return found


def _controls(before: Filed | None) -> tuple[Control, ...]:
    if before is None:
        raise NotAsked("--control: say what is done instead; without a compensating control there is no exception")
    return before.request.controls
