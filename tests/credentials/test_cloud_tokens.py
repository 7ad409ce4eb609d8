"""Tokens of cloud directories: kept until shortly before they end, and never shown."""

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Outbound, Refused, Unavailable
from services.credentials.adapters import cloud_tokens
from services.credentials.adapters.cloud import AnswerNotUnderstood
from services.credentials.adapters.cloud_tokens import GrantedTokens, signer, thumbprint
from simulators.assertions import claims_of
from tests.credentials.clouds import POLICY, key, key_and_certificate, pem

URL = "https://login.example"


def tokens(answer: httpx.Response) -> tuple[GrantedTokens, list[httpx.Request]]:
    """Return the tokens of an endpoint that always answers so, and what it was asked."""
    asked: list[httpx.Request] = []

    def endpoint(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    outbound = Outbound(URL, POLICY, transport=httpx.MockTransport(endpoint))
    return GrantedTokens(outbound, "/token", lambda: {"client_secret": "planted-secret"}), asked


async def test_a_token_is_asked_for_once() -> None:
    granted, asked = tokens(httpx.Response(200, json={"access_token": "one", "expires_in": 3600}))

    assert [await granted.header() for _ in range(3)] == ["Bearer one"] * 3
    assert len(asked) == 1


async def test_a_token_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    granted, asked = tokens(httpx.Response(200, json={"access_token": "one", "expires_in": 61}))
    monkeypatch.setattr(cloud_tokens, "_SHORTEST_SECONDS", -1.0)
    monkeypatch.setattr(cloud_tokens, "_MARGIN_SECONDS", 61.0)

    assert [await granted.header() for _ in range(2)] == ["Bearer one"] * 2

    assert len(asked) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(httpx.Response(400, json={"error": "invalid_grant", "hint": "planted-secret"}), Refused, id="no"),
        pytest.param(httpx.Response(500, text="planted-secret"), Unavailable, id="later"),
        pytest.param(httpx.Response(200, json={"token": "planted-secret"}), AnswerNotUnderstood, id="no token"),
        pytest.param(httpx.Response(200, text="planted-secret"), Unavailable, id="no JSON"),
    ],
)
async def test_what_the_endpoint_says_is_not_repeated(answer: httpx.Response, error: type[Exception]) -> None:
    granted, _ = tokens(answer)

    with pytest.raises(error) as told:
        await granted.header()

    assert "planted-secret" not in repr(told.value)
    assert not getattr(told.value, "ambiguous", False)


def test_an_assertion_says_what_it_claims_and_lives_for_minutes() -> None:
    made = signer(SecretStr(pem()), {"kid": "1"})
    first, second = (made.signed({"iss": "us", "aud": URL}) for _ in range(2))

    claims = claims_of(first, key().public_key(), audience=URL)

    assert claims is not None
    assert (claims["iss"], claims["kid"], claims["exp"] - claims["iat"]) == ("us", "1", 300)
    assert first != second
    assert claims_of(first[:-8] + "AAAAAAAA", key().public_key(), audience=URL) is None
    assert claims_of(first, key().public_key(), audience="https://elsewhere.example") is None


def test_a_certificate_stands_beside_its_key() -> None:
    assert len(thumbprint(SecretStr(key_and_certificate()))) == 43
    with pytest.raises(WrongSetting, match="certificate"):
        thumbprint(SecretStr(pem()))
