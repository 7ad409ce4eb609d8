"""How the examples of one source are tried: an RMM's or PSA's as they are, a feed's as the door leaves them."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from contracts.raw import Channel
from services.gateway import vendors
from services.gateway.exposures import rules_feeds
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.exposures.rules_reduce import NotReadable
from services.gateway.registry import examples
from services.gateway.registry.examples import FOLDER, Became, Example
from services.gateway.registry.sources import Kind
from services.gateway.vendors import exposure_feeds
from services.gateway.vendors.confirmation import Confirmed

FEEDS: Final = FOLDER / "exposure"


@dataclass(frozen=True, slots=True)
class Tried:
    """What there is to try of a vendor, how it is tried, how its adapters were confirmed; and which `others` are."""

    examples: list[Example]
    became: Callable[[Example], Became]
    confirmed: Mapping[Channel, Confirmed]
    others: tuple[str, ...]


def of(source_id: str) -> Tried:
    """Return how the examples of a source's vendor are tried."""
    kind, vendor, name = source_id.split("/")
    if kind != Kind.EXPOSURE:
        return Tried(
            examples.examples_of(vendor),
            lambda each: became_as_it_is(vendor, name, each),
            vendors.confirmations(vendor),
            examples.vendors(),
        )
    return Tried(
        examples.examples_of(vendor, FEEDS),
        lambda each: became_redacted(vendor, name, each),
        exposure_feeds.confirmations(vendor),
        examples.vendors_in(FEEDS),
    )


def became_as_it_is(vendor: str, name: str, example: Example) -> Became:
    """Return what an adapter makes of an example."""
    delivery = examples.delivery_of(vendor, name, example, datetime.now(UTC))
    by_vendor = vendors.adapters()
    return examples.became(delivery, lambda each: vendors.translated(each, by_vendor))


def became_redacted(vendor: str, name: str, example: Example) -> Became:
    """Return what an adapter makes of what the door leaves of an example; the key of its fingerprints is thrown away.

    An example without an expectation was captured behind the door: its secrets are gone already.
    """
    unread: tuple[str, ...] = ()
    if example.becomes is not None:
        redaction = Redaction(FingerprintKey(secrets.token_bytes(32)))
        try:
            read_as = rules_feeds.POLLED_AS.get(vendor, vendor) if example.channel == "poll" else vendor
            redacted = redaction.redacted(read_as, example.body)
        except NotReadable as error:
            return Became((), (f"quarantined: {error}",))
        example = replace(example, body=redacted.body)
        if redacted.unread:
            unread = (
                f"quarantined: {redacted.unread} of its {redacted.records + redacted.unread} records cannot be read",
            )
    delivery = examples.delivery_of(f"{Kind.EXPOSURE}/{vendor}", name, example, datetime.now(UTC))
    made = examples.became(replace(delivery, vendor=vendor), exposure_feeds.translated)
    return Became(made.events, (*made.outcomes, *unread))
