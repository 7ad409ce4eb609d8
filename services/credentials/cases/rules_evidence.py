"""What an exposure proves: how strong it is, which passwords it can be about, and whether two are the same. Pure.

Source: the ten points of a safe forced reset, numbers 1 and 2, in the project's references.
"""

from datetime import datetime
from typing import Final

from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from services.credentials.cases.records import Evidence, Strength

USABLE: Final = frozenset({SecretForm.PLAINTEXT, SecretForm.CRACKABLE, SecretForm.SESSION})
"""Forms of a secret that somebody can sign in with."""


def evidence_of(found: ExposureFound, *, received_at: datetime) -> Evidence:
    """Return what one exposure shows.

    The secret was in use when it was exposed; where nobody says when that was, when it was published; where nobody says
    that either, when we heard of it. A moment later than that is not believed.
    """
    said = found.exposed_at or found.published_at or received_at
    return Evidence(strength=strength_of(found), at=min(said, received_at), session=found.form is SecretForm.SESSION)


def strength_of(found: ExposureFound) -> Strength:
    """Return how well an exposure shows that a secret in use is in other hands.

    A stealer took what was typed or stored on the machine. A directory's own risk detection has compared the secret
    with the one in use. A list put together from old breaches proves nothing, nor does a name without a secret.
    """
    if found.doubtful or found.origin is ExposureOrigin.COMBOLIST:
        return Strength.WEAK
    if found.origin in {ExposureOrigin.STEALER_LOG, ExposureOrigin.RISK_DETECTION} or found.form in USABLE:
        return Strength.REAL
    return Strength.WEAK


def together(one: Evidence, other: Evidence) -> Evidence:
    """Return what two exposures show together: the stronger counts; of equally strong ones the later moment."""
    if one.strength is other.strength:
        return Evidence(strength=one.strength, at=max(one.at, other.at), session=one.session or other.session)
    return one if one.strength is Strength.REAL else other


def is_remediated(
    evidence: Evidence, *, password_changed_at: datetime | None, sessions_valid_from: datetime | None
) -> bool:
    """Return whether the exposed secret is no longer in use: changed since, and exposed sessions ended since."""
    if password_changed_at is None or password_changed_at <= evidence.at:
        return False
    return not evidence.session or (sessions_valid_from is not None and sessions_valid_from > evidence.at)


def is_same(one: ExposureFound, other: ExposureFound) -> bool:
    """Return whether two exposures of one identity are the same one, told twice or by two feeds.

    The fingerprint decides where both have one: the same name of a breach can hold another secret. Else the same record
    of the same feed is, or the same breach.
    """
    if one.fingerprint and other.fingerprint:
        return one.fingerprint == other.fingerprint
    if one.document and one.feed == other.feed:
        return one.document == other.document
    return one.breach is not None and one.breach == other.breach
