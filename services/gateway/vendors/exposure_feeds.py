"""One pure file per exposure feed: what the door kept goes in, a translation comes out. A new feed is one line here.

And one in `services.gateway.exposures.rules_feeds`: what may be kept of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.raw import Channel, RawDelivery
from services.gateway.vendors import (
    exposure_approval,
    exposure_detection,
    exposure_graph,
    exposure_hibp,
    exposure_patchline,
    exposure_recorded_future,
    exposure_spycloud,
)
from services.gateway.vendors.confirmation import Basis, Confirmed
from services.gateway.vendors.translation import Translate, Translation

ADAPTERS: Final[Mapping[tuple[str, Channel], Translate]] = MappingProxyType(
    {
        ("patchline", "webhook"): exposure_patchline.translated,
        ("spycloud", "webhook"): exposure_spycloud.translated,
        ("recorded-future", "webhook"): exposure_recorded_future.translated,
        ("graph", "webhook"): exposure_graph.translated,
        ("graph", "poll"): exposure_detection.translated,
        ("hibp", "poll"): exposure_hibp.translated,
        ("approval", "webhook"): exposure_approval.translated,
    }
)
"""By vendor and channel."""

POLLED: Final = ("graph", "hibp")
"""Feeds that have a poller."""

_UNDOCUMENTED: Final = ("the body and the proof of a webhook: neither is documented",)
CONFIRMED: Final[Mapping[tuple[str, Channel], Confirmed]] = MappingProxyType(
    {
        ("patchline", "webhook"): Confirmed(
            Basis.OWN_FORMAT, "docs/exposures/patchline.md: whoever types the message decides"
        ),
        ("approval", "webhook"): Confirmed(Basis.OWN_FORMAT, "the form of an approval link: the door writes it itself"),
        ("spycloud", "webhook"): Confirmed(
            Basis.DOCUMENTATION,
            "SpyCloud, breach records: fields from the test data of an integration that the vendor ships",
            (*_UNDOCUMENTED, "what the severities mean", "the words of password_type"),
        ),
        ("recorded-future", "webhook"): Confirmed(
            Basis.DOCUMENTATION,
            "Recorded Future Identity API: the lookup's answer",
            (*_UNDOCUMENTED, "where a secret in clear would stand"),
        ),
        ("graph", "webhook"): Confirmed(
            Basis.DOCUMENTATION,
            "Microsoft Graph v1.0, change notifications: handshake, clientState, basic notifications",
            ("which security resources can be subscribed to today",),
        ),
        ("graph", "poll"): Confirmed(
            Basis.DOCUMENTATION,
            "Microsoft Graph v1.0, riskDetection and alert; limits of identityProtection",
            ("that a 429 still comes without Retry-After", "how an alert names a leaked credential"),
        ),
        ("hibp", "poll"): Confirmed(
            Basis.DOCUMENTATION,
            "Have I Been Pwned API v3: domain search, stealer logs, subscription status",
            ("how old a line of a stealer log is", "when stealer logs grow without a new breach"),
        ),
    }
)
"""How each adapter was confirmed. An adapter without a line here fails a test."""


def translated(delivery: RawDelivery) -> Translation:
    """Return what `delivery` says. A feed without an adapter of its own sends our format."""
    translate = ADAPTERS.get((delivery.vendor, delivery.channel))
    if translate is not None:
        return translate(delivery)
    if delivery.channel == "webhook":
        return exposure_patchline.translated(delivery)
    return Translation(problems=(f"channel: {delivery.vendor!r} has no adapter for {delivery.channel}",))


def confirmations(vendor: str) -> dict[Channel, Confirmed]:
    """Return by channel how a feed's adapters were confirmed."""
    return {channel: each for (name, channel), each in CONFIRMED.items() if name == vendor}
