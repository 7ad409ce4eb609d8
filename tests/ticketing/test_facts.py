"""What the events of compliance mean here."""

import pytest

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.ticketing.facts import Unusable, fact_of
from services.ticketing.records import Kind, MatterKey
from services.ticketing.rules import NO_LONGER_FAILING, Finding, Verdict
from services.ticketing.rules_fold import Catalogued
from tests.builders import ACME, NOON, client_changed
from tests.ticketing.findings import REQUIREMENT, catalogued, failed_again, label, state_changed, uncatalogued

UNKNOWN_PATCH = MatterKey(ACME, Kind.FAILED_UNCATALOGUED, '["","KB5099999"]')


def test_a_state_is_about_the_requirement() -> None:
    envelope = state_changed("a", State.FAILED, 7, failures=4)

    found = fact_of(envelope)

    assert isinstance(found, Finding)
    assert found.matter == MatterKey(ACME, Kind.PATCH_FAILED, REQUIREMENT)
    assert (found.asset, found.sequence, found.verdict, found.failures) == (label("a").asset, 7, Verdict.FAILING, 4)
    assert (found.about.product, found.about.train, found.about.release) == (
        "Windows 11 24H2 x64",
        "cumulative",
        "2026-11",
    )
    assert (found.cause.event_id, found.cause.occurred_at, found.code) == (envelope.id, NOON, "0x80070643")


def test_a_repeated_failure_is_a_failure() -> None:
    found = fact_of(failed_again("a", 8, failures=5))

    assert isinstance(found, Finding)
    assert (found.verdict, found.state, found.failures) == (Verdict.FAILING, "FAILED", 5)


@pytest.mark.parametrize(
    ("failing", "verdict", "state"),
    [(True, Verdict.FAILING, "FAILED"), (False, Verdict.PROVEN, NO_LONGER_FAILING)],
)
def test_an_unknown_patch_is_about_the_vendors_product_and_patch(
    verdict: Verdict, state: str, *, failing: bool
) -> None:
    found = fact_of(uncatalogued("a", 1, failing=failing))

    assert isinstance(found, Finding)
    assert (found.matter, found.verdict, found.state) == (UNKNOWN_PATCH, verdict, state)


def test_a_link_names_both_matters_and_the_device() -> None:
    found = fact_of(catalogued("a", 9))

    assert isinstance(found, Catalogued)
    assert (found.matter, found.home) == (UNKNOWN_PATCH, MatterKey(ACME, Kind.PATCH_FAILED, REQUIREMENT))
    assert (found.asset, found.sequence) == (str(ids.asset_id("rmm/ninjaone/main", "a")), 9)


EVENTS = [
    state_changed("a", State.FAILED, 1),
    failed_again("a", 1, failures=2),
    uncatalogued("a", 1),
    catalogued("a", 1),
]


@pytest.mark.parametrize("envelope", EVENTS, ids=lambda each: each.data.TYPE)
def test_without_a_client_or_a_sequence_it_is_unusable(envelope: Envelope) -> None:
    nobody, unordered = fact_of(envelope._replace(tenant=None)), fact_of(envelope._replace(sequence=None))

    assert isinstance(nobody, Unusable)
    assert nobody.reason.startswith("ce_tenantid:")
    assert isinstance(unordered, Unusable)
    assert unordered.reason.startswith("ce_sequence:")


def test_anything_else_means_nothing() -> None:
    assert fact_of(client_changed("Acme Dental", sequence=1)) is None
