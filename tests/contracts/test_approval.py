"""A token is believed if our key signed it, says what it said, and nothing of a changed one is."""

from datetime import UTC, datetime

import pytest

from contracts import approval
from contracts.approval import Claims

KEY, OTHER = b"k" * 32, b"o" * 32
CLAIMS = Claims(
    case="9a1b6f0e-0000-5000-8000-000000000001",
    approver_digest="a" * 64,
    expires_at=datetime(2026, 11, 22, 14, tzinfo=UTC),
    nonce="n0nce",
)
TOKEN = approval.token_of(CLAIMS, KEY)


def test_what_was_signed_is_read_again() -> None:
    assert approval.claims_in(TOKEN, KEY) == CLAIMS
    assert approval.is_token(TOKEN)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(approval.token_of(CLAIMS, OTHER), id="another key"),
        pytest.param("A" + TOKEN[1:], id="changed"),
        pytest.param(TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B"), id="another signature"),
        pytest.param(TOKEN.partition(".")[0], id="no signature"),
        pytest.param(TOKEN + ".x", id="more"),
        pytest.param("", id="nothing"),
        pytest.param("é." + "A" * 43, id="not ASCII"),
        pytest.param("A" * 5000 + "." + "A" * 43, id="too long"),
    ],
)
def test_what_was_not_signed_by_our_key_says_nothing(token: str) -> None:
    assert approval.claims_in(token, KEY) is None


def test_what_is_signed_and_no_token_of_ours_says_nothing() -> None:
    text = approval._written(b'{"v":2}')
    unversioned = approval._written(b"[7]")

    for each in (text, unversioned):
        assert approval.claims_in(f"{each}.{approval._written(approval._signature(each, KEY))}", KEY) is None


def test_claims_that_make_no_token_are_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        approval.token_of(Claims(case="x" * 2000, approver_digest="a", expires_at=CLAIMS.expires_at, nonce="n"), KEY)


def test_a_key_is_32_bytes_in_base64() -> None:
    assert approval.key_in("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n") == KEY
    for wrong in ("short", "not base64!", "AAAA"):
        with pytest.raises(ValueError, match=r"not base64|holds"):
            approval.key_in(wrong)


def test_a_used_token_is_known_by_its_digest() -> None:
    assert len(approval.digest_of(TOKEN)) == 64
    assert TOKEN not in approval.digest_of(TOKEN)
