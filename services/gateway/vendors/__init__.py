"""One pure file per vendor: bytes in, a translation out, never an exception. A new RMM is one file and one line here.

`NinjaOne` and `Datto RMM` in two channels each: the webhook, and what our poller read from the API.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Final

from contracts.raw import Channel, RawDelivery
from services.gateway.vendors import (
    agent,
    datto,
    datto_poll,
    ninjaone,
    ninjaone_poll,
    patchline,
    psa_connectwise,
    psa_request_tracker,
    psa_roundup,
)
from services.gateway.vendors.confirmation import Basis, Confirmed
from services.gateway.vendors.datto_words import WORDS, Words
from services.gateway.vendors.ninjaone_places import PATCH_FINDER, PatchFinder
from services.gateway.vendors.translation import Translate, Translation

Adapters = Mapping[tuple[str, Channel], Translate]

POLLED: Final = ("ninjaone", "datto")
"""Vendors that have a poller."""

OWN_FORMAT: Final = Confirmed(Basis.OWN_FORMAT, "docs/rmm/patchline.md: whoever types the template decides")
CONFIRMED: Final[Mapping[tuple[str, Channel], Confirmed]] = {
    ("patchline", "webhook"): OWN_FORMAT,
    ("glpi-agent", "webhook"): Confirmed(
        Basis.CAPTURED_BODY,
        "reports of Debian 12's fusioninventory-agent and ocsinventory-agent; for JSON, GLPI's schema of inventories",
        ("what GLPI's own agent sends as Windows' kernel_version", "how XML says that it is partial"),
    ),
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
    ("datto", "webhook"): Confirmed(
        Basis.DOCUMENTATION,
        "docs/rmm/datto.md: our template, with the variables of templates in public use",
        ("how Datto escapes what it fills in", "the words of alert types and messages", "retries"),
    ),
    ("datto", "poll"): Confirmed(
        Basis.VENDOR_SCHEMA,
        "Datto RMM API 2.0.0, schemas Device, PatchManagement, Alert and its contexts",
        ("the words of patch_ctx.result", "the order of resolved alerts", "text or milliseconds for moments"),
    ),
    ("request-tracker", "webhook"): Confirmed(
        Basis.CAPTURED_BODY, "what the scrip of docs/psa/webhooks.md posts from a real Request Tracker 5"
    ),
    ("roundup", "webhook"): Confirmed(
        Basis.CAPTURED_BODY, "what the detector of docs/psa/webhooks.md posts from a real Roundup 2.6"
    ),
    ("connectwise", "webhook"): Confirmed(
        Basis.DOCUMENTATION,
        "ConnectWise PSA, callbacks: the envelope from shipping clients, the record from the API's schema",
        ("that the copy of the record has the API's fields", "whether a callback that was not taken is sent again"),
    ),
}
"""How each adapter was confirmed. An adapter without a line here fails a test."""


def adapters(ninjaone_finder: PatchFinder = PATCH_FINDER, datto_words: Words = WORDS) -> Adapters:
    """Return every adapter by vendor and channel."""
    return {
        ("glpi-agent", "webhook"): agent.translated,
        ("ninjaone", "webhook"): partial(ninjaone.translated, finder=ninjaone_finder),
        ("ninjaone", "poll"): ninjaone_poll.translated,
        ("datto", "webhook"): partial(datto.translated, words=datto_words),
        ("datto", "poll"): partial(datto_poll.translated, words=datto_words),
        ("request-tracker", "webhook"): psa_request_tracker.translated,
        ("roundup", "webhook"): psa_roundup.translated,
        ("connectwise", "webhook"): psa_connectwise.translated,
    }


def confirmations(vendor: str) -> dict[Channel, Confirmed]:
    """Return by channel how a vendor's adapters were confirmed. A vendor that has none sends our format."""
    found = {channel: each for (name, channel), each in CONFIRMED.items() if name == vendor}
    return found or {"webhook": OWN_FORMAT}


def told_confirmations(vendor: str) -> dict[str, dict[str, object]]:
    """Return the same for machines."""
    return {channel: asdict(each) for channel, each in confirmations(vendor).items()}


def translated(delivery: RawDelivery, by_vendor: Adapters) -> Translation:
    """Return what `delivery` says. A vendor without an adapter of its own sends our format, from a typed template."""
    translate = by_vendor.get((delivery.vendor, delivery.channel))
    if translate is not None:
        return translate(delivery)
    if delivery.channel == "webhook":
        return patchline.translated(delivery)
    return Translation(problems=(f"channel: {delivery.vendor!r} has no adapter for {delivery.channel}",))
