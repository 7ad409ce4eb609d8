"""Folds listings of applications into the register: load, decide, save, only where something was listed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from chassis.postgres import Connection
from services.inventory import rules_applications as rules
from services.inventory import store_applications as store
from services.inventory.rules import Step
from services.inventory.rules_applications import NOTHING_LISTED, Change
from services.inventory.rules_facts import Fact


async def keep(tx: Connection, steps: Sequence[Step], facts: Mapping[UUID, Sequence[Fact]]) -> None:
    """Keep what `facts`, by asset, list, once the assets themselves are saved; of nothing new, its date alone.

    The applications themselves are loaded only where they are not those that are kept already.
    """
    await store.move(tx, _moved(steps))
    listings = {asset_id: found for asset_id, theirs in facts.items() if (found := rules.listings_of(theirs))}
    if not listings:
        return
    tenants = {step.after.asset_id: step.after.said["tenant_id"] for step in steps}
    kept = await store.registers(tx, listings)
    registers = {asset_id: kept.get(asset_id, NOTHING_LISTED) for asset_id in listings}
    told = {asset_id: rules.heard(registers[asset_id], theirs) for asset_id, theirs in listings.items()}
    known = {asset_id for asset_id in kept if rules.is_known(registers[asset_id], told[asset_id])}
    members = await store.members(tx, told.keys() - known)
    changes = {
        asset_id: Change(rules.unchanged(registers[asset_id], each))
        if asset_id in known
        else rules.change(registers[asset_id], members[asset_id], each)
        for asset_id, each in told.items()
    }
    news = {
        asset_id: each
        for asset_id, each in changes.items()
        if each.gone or each.put or each.register != kept.get(asset_id)
    }
    if news:
        await store.save(tx, news, tenants)


def _moved(steps: Sequence[Step]) -> dict[UUID, UUID]:
    """Return whose the assets are that changed hands, by asset."""
    return {
        step.after.asset_id: step.after.said["tenant_id"]
        for step in steps
        if step.before is not None
        and step.after.said is not step.before.asset.said
        and step.after.said["tenant_id"] != step.before.asset.said["tenant_id"]
    }
