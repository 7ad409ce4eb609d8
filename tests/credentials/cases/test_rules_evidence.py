"""What an exposure proves, and whether two of them are the same one."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.event import Method
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from services.credentials.cases.records import Evidence, Strength
from services.credentials.cases.rules_evidence import evidence_of, is_same, strength_of, together
from tests.builders import HOUR, NOON

DAY = timedelta(days=1)


def found(**changes: Any) -> ExposureFound:
    """Return what a feed says of a readable password; `changes` are its fields."""
    fields: dict[str, Any] = {"feed": "spycloud", "method": Method.WEBHOOK, "login": "ann@acme.example"}
    return ExposureFound.model_validate(fields | {"form": SecretForm.PLAINTEXT} | changes)


@pytest.mark.parametrize(
    ("exposure", "strength"),
    [
        pytest.param(found(), Strength.REAL, id="a readable password"),
        pytest.param(found(form=SecretForm.CRACKABLE), Strength.REAL, id="a crackable hash"),
        pytest.param(found(form=SecretForm.SESSION), Strength.REAL, id="a session"),
        pytest.param(found(form=SecretForm.HASHED), Strength.WEAK, id="a strong hash"),
        pytest.param(found(form=SecretForm.NONE), Strength.WEAK, id="a name alone"),
        pytest.param(found(form=SecretForm.UNKNOWN), Strength.WEAK, id="nobody says what"),
        pytest.param(
            found(form=SecretForm.NONE, origin=ExposureOrigin.STEALER_LOG), Strength.REAL, id="malware took it"
        ),
        pytest.param(
            found(form=SecretForm.NONE, origin=ExposureOrigin.RISK_DETECTION), Strength.REAL, id="the directory saw it"
        ),
        pytest.param(found(origin=ExposureOrigin.COMBOLIST), Strength.WEAK, id="an old list"),
        pytest.param(found(doubtful=True), Strength.WEAK, id="the feed itself doubts it"),
    ],
)
def test_how_much_an_exposure_shows(exposure: ExposureFound, strength: Strength) -> None:
    assert strength_of(exposure) is strength


@pytest.mark.parametrize(
    ("exposure", "at"),
    [
        pytest.param(found(exposed_at=NOON - DAY, published_at=NOON - HOUR), NOON - DAY, id="when it was exposed"),
        pytest.param(found(published_at=NOON - HOUR), NOON - HOUR, id="else when it was published"),
        pytest.param(found(), NOON, id="else when we heard of it"),
        pytest.param(found(exposed_at=NOON + DAY), NOON, id="never later than we heard of it"),
    ],
)
def test_which_passwords_an_exposure_can_be_about(exposure: ExposureFound, at: datetime) -> None:
    assert evidence_of(exposure, received_at=NOON).at == at


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(found(fingerprint="a"), found(fingerprint="a", feed="hibp"), True, id="one secret, two feeds"),
        pytest.param(
            found(fingerprint="a", breach="Collection"), found(fingerprint="b", breach="Collection"), False,
            id="two secrets of one breach",
        ),
        pytest.param(found(document="1"), found(document="1"), True, id="one record twice"),
        pytest.param(found(document="1"), found(document="2"), False, id="two records"),
        pytest.param(found(document="1"), found(document="1", feed="hibp"), False, id="numbers of two feeds"),
        pytest.param(found(breach="Adobe"), found(breach="Adobe", feed="hibp"), True, id="one breach, two feeds"),
        pytest.param(found(), found(), False, id="nothing to know it by"),
    ],
)  # fmt: skip
def test_whether_two_exposures_are_the_same(one: ExposureFound, other: ExposureFound, same: bool) -> None:  # noqa: FBT001 - a table
    assert is_same(one, other) is same


EVIDENCE = st.builds(
    Evidence,
    strength=st.sampled_from(Strength),
    at=st.sampled_from([NOON - DAY, NOON, NOON + DAY]),
    session=st.booleans(),
)


@given(EVIDENCE, EVIDENCE, EVIDENCE)
def test_the_order_of_exposures_does_not_matter(one: Evidence, two: Evidence, three: Evidence) -> None:
    assert together(together(one, two), three) == together(three, together(two, one))
