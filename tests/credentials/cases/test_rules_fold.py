"""Which case an exposure belongs to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid5

import pytest

from contracts.events.credential import Decision
from contracts.events.event import Method
from contracts.events.exposure import ExposureFound, SecretForm
from services.credentials.cases.records import Case, Rule, Sighting, Strength, Verdict, Whose
from services.credentials.cases.rules_fold import Append, Known, Open, begun, grown, identity_key, place
from services.credentials.records import Cause
from tests.builders import ACME, HOUR, NOON
from tests.credentials.directories import account, identity

DAY = timedelta(days=1)
LOGIN = "ann@acme.example"
ANN = Whose(login=LOGIN, identity=identity(account("ann", LOGIN)))
VERDICT = Verdict(decision=Decision.RESET, rule=Rule.ALLOWED, why="a test")


def sighting(**changes: Any) -> Sighting:
    fields: dict[str, Any] = {"feed": "spycloud", "method": Method.WEBHOOK, "login": LOGIN}
    found = ExposureFound.model_validate(fields | {"form": SecretForm.PLAINTEXT} | changes)
    cause = Cause(id=uuid5(ACME, found.model_dump_json()), received_at=NOON)
    return Sighting(tenant=ACME, source="exposure/spycloud/main", found=found, occurred_at=NOON, cause=cause)


def at(hours: int, **changes: Any) -> Sighting:
    """Return what arrives so many hours after noon."""
    plain = sighting(**changes)
    return replace(plain, cause=replace(plain.cause, received_at=NOON + hours * HOUR))


def case(**changes: Any) -> Case:
    plain = begun(sighting(), ANN, number=1, verdict=VERDICT, dry_run=False, now=NOON)
    return replace(plain, **changes)


CLOSED = case(closed_at=NOON, reset_at=NOON)
BY_HAND = case(closed_at=NOON, evidence=replace(case().evidence, at=NOON - DAY))
ONLY_TOLD = case(closed_at=NOON, evidence=replace(case().evidence, strength=Strength.WEAK))


@pytest.mark.parametrize(
    ("known", "now", "new", "expected"),
    [
        pytest.param(Known(), NOON, sighting(), Open(1), id="nobody knew of them"),
        pytest.param(Known(newest=case()), NOON + 9 * DAY, sighting(), Append(1, ""), id="their case is open"),
        pytest.param(Known(newest=CLOSED), NOON + HOUR, sighting(), Append(1, ""), id="reset an hour ago"),
        pytest.param(Known(newest=CLOSED), NOON + 25 * HOUR, sighting(), Open(2), id="reset longer ago"),
        pytest.param(
            Known(newest=CLOSED, exposures=((1, sighting(fingerprint="f").found),)),
            NOON + 30 * DAY,
            sighting(fingerprint="f", feed="hibp"),
            Append(1, ""),
            id="the same secret, long after",
        ),
        pytest.param(Known(newest=ONLY_TOLD), NOON + HOUR, sighting(), Open(2), id="only told of, and now it is real"),
        pytest.param(
            Known(newest=CLOSED), NOON + HOUR, sighting(exposed_at=NOON - HOUR), Append(1, ""), id="exposed before it"
        ),
        pytest.param(
            Known(newest=CLOSED), NOON + 3 * HOUR, at(2, exposed_at=NOON + HOUR), Open(2), id="exposed after the reset"
        ),
        pytest.param(
            Known(newest=BY_HAND),
            NOON + HOUR,
            sighting(exposed_at=NOON - HOUR),
            Open(2),
            id="newer than what was known",
        ),
        pytest.param(
            Known(newest=BY_HAND), NOON + HOUR, sighting(exposed_at=NOON - 9 * DAY), Append(1, ""), id="nothing newer"
        ),
        pytest.param(
            Known(newest=ONLY_TOLD), NOON + HOUR, sighting(form=SecretForm.NONE), Append(1, ""), id="weak, told again"
        ),
    ],
)
def test_where_an_exposure_belongs(known: Known, now: Any, new: Sighting, expected: Append | Open) -> None:
    found = place(new, known, cooling=DAY, now=now)

    assert (type(found), found.number) == (type(expected), expected.number)


def test_a_login_and_an_account_are_never_the_same_identity() -> None:
    nobody = Whose(login=LOGIN, identity=None)
    sly = Whose(login="x", identity=identity(account(LOGIN), directory="login"))

    assert len({identity_key(ANN), identity_key(nobody), identity_key(sly)}) == 3


def test_two_logins_of_one_account_are_one_identity() -> None:
    other = Whose(login="a.smith@acme.example", identity=ANN.identity)

    assert identity_key(other) == identity_key(ANN)


def test_an_open_case_learns_from_an_exposure_and_a_closed_one_only_counts_it() -> None:
    weak = case(evidence=replace(case().evidence, strength=Strength.WEAK))

    assert grown(weak, sighting()).evidence.strength is Strength.REAL
    assert grown(replace(weak, closed_at=NOON), sighting()).evidence.strength is Strength.WEAK
    assert grown(weak, sighting()).exposures == 2
