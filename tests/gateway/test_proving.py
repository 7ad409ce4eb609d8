"""What proves a delivery is believed by what verifies it, for every scheme whose secret is ours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.gateway.door import verification
from services.gateway.door.verification import Refused, Verified
from services.gateway.keys.sealing import SealingKey, new_sealing_key, read_sealing_key
from services.gateway.registry import proving, schemes, sources
from services.gateway.registry.proving import CannotProve
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import StoredSource

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
BODY = b'{"type": "device.online"}'
ID = "rmm/somebody/main"
OURS = sorted(set(Scheme) - schemes.KEYLESS - {Scheme.CLIENT_STATE})


@pytest.fixture
def sealing_key(tmp_path: Path) -> SealingKey:
    file = tmp_path / "sealing.key"
    file.write_text(new_sealing_key())
    return read_sealing_key(file)


def proven(scheme: Scheme, secret: str) -> dict[bytes, bytes]:
    headers = proving.proof(scheme, secret, BODY, source_id=ID, header="x-proof", at=NOON)
    return {name.encode(): value.encode() for name, value in headers.items()}


@pytest.mark.parametrize("scheme", OURS)
def test_who_has_the_secret_is_believed_and_who_has_another_is_not(scheme: Scheme, sealing_key: SealingKey) -> None:
    secret = schemes.new_secret(scheme)
    kept = schemes.material(scheme, secret, source_id=ID, sealing_key=sealing_key)
    stored = StoredSource(source_id=ID, vendor="somebody", scheme=scheme, header_name="x-proof", materials=[kept])
    [known, *_] = sources.known([stored], sealing_key, {})[0].values()

    verdict = verification.verdict(known.scheme, proven(scheme, secret), BODY, now=NOON + timedelta(seconds=1))
    other = verification.verdict(known.scheme, proven(scheme, schemes.new_secret(scheme)), BODY, now=NOON)

    assert isinstance(verdict, Verified)
    assert other is Refused.FORGED


def test_the_same_body_at_the_same_second_is_a_repeat_to_the_receiver() -> None:
    secret = schemes.new_secret(Scheme.STANDARD_WEBHOOKS)

    assert proven(Scheme.STANDARD_WEBHOOKS, secret) == proven(Scheme.STANDARD_WEBHOOKS, secret)


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (Scheme.CONNECTWISE_CALLBACK, "whatever"),
        (Scheme.CLIENT_STATE, "in the body"),
        (Scheme.APPROVAL_LINK, "in the link"),
        (Scheme.POLLED, "of the API"),
        (Scheme.STANDARD_WEBHOOKS, "no signing secret"),
    ],
    ids=[
        "the vendor's own key",
        "a secret in the body",
        "a secret in a link",
        "nothing delivered",
        "not a secret of the scheme",
    ],
)
def test_what_nobody_here_can_prove_is_refused(scheme: Scheme, secret: str) -> None:
    with pytest.raises(CannotProve):
        proven(scheme, secret)
