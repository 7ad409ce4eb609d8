"""One pure file per vendor: bytes in, a translation out, never an exception. A new RMM is one file and one line here.

`NinjaOne` in two channels: its webhook, and what our poller read from its API.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from contracts.raw import Channel, RawDelivery
from services.gateway.vendors import ninjaone, ninjaone_poll, patchline
from services.gateway.vendors.confirmation import Basis, Confirmed
from services.gateway.vendors.ninjaone_places import PATCH_FINDER, PatchFinder
from services.gateway.vendors.translation import Translate, Translation

Adapters = Mapping[tuple[str, Channel], Translate]

POLLED: Final = ("ninjaone",)
"""Vendors that have a poller."""

OWN_FORMAT: Final = Confirmed(Basis.OWN_FORMAT, "docs/rmm/patchline.md: whoever types the template decides")
CONFIRMED: Final[Mapping[tuple[str, Channel], Confirmed]] = {
    ("patchline", "webhook"): OWN_FORMAT,
    ("ninjaone", "webhook"): Confirmed(
        Basis.VENDOR_SCHEMA,
        "NinjaOne Public API 2.0, schemas Activity and NodeWithDetailedReferences",
        ("where a patch stands in an activity", "the words of conditions"),
    ),
    ("ninjaone", "poll"): Confirmed(
        Basis.VENDOR_SCHEMA,
        "NinjaOne Public API 2.0, devices-detailed and the patch queries",
        ("the format of installedAfter", "that lastUpdate dates an empty patch list"),
    ),
}
"""How each adapter was confirmed. An adapter without a line here fails a test."""


def adapters(ninjaone_finder: PatchFinder = PATCH_FINDER) -> Adapters:
    """Return every adapter by vendor and channel."""
    return {
        ("ninjaone", "webhook"): partial(ninjaone.translated, finder=ninjaone_finder),
        ("ninjaone", "poll"): ninjaone_poll.translated,
    }


def confirmed(vendor: str, channel: Channel) -> Confirmed | None:
    """Return how the adapter of a vendor's channel was confirmed; one of its own it may not have: our format."""
    return CONFIRMED.get((vendor, channel), OWN_FORMAT if channel == "webhook" else None)


def translated(delivery: RawDelivery, by_vendor: Adapters) -> Translation:
    """Return what `delivery` says. A vendor without an adapter of its own sends our format, from a typed template."""
    translate = by_vendor.get((delivery.vendor, delivery.channel))
    if translate is not None:
        return translate(delivery)
    if delivery.channel == "webhook":
        return patchline.translated(delivery)
    return Translation(problems=(f"channel: {delivery.vendor!r} has no adapter for {delivery.channel}",))
