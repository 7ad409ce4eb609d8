"""The token endpoint of a simulated Entra ID: an application's credentials, a person's password, a refresh token.

Source: Microsoft identity platform, "client credentials flow", "resource owner password credentials", error codes.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.assertions import claims_of
from simulators.identities import Provider
from simulators.wire import Answer, Call, flat

TENANT: Final = "8f5d1f3e-53d0-4c64-9d7e-2f3a5f0d9b11"
CLIENT_ID: Final = "3c0b3b52-77c4-4b0e-8a0e-6a3c2f0e51aa"
CLIENT_SECRET: Final = "simulated-entra-secret"
TOKEN_SECONDS: Final = 3599
PATH: Final = f"/{TENANT}/oauth2/v2.0/token"
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)


class Login:
    """Who may come in."""

    def __init__(self, provider: Provider, url: str) -> None:
        """Know the people of `provider`; assertions are meant for `url`."""
        self._provider = provider
        self._url = url
        self._tokens: set[str] = set()
        self._refresh: dict[str, tuple[str, datetime]] = {}
        self.certificate: rsa.RSAPublicKey | None = None
        """With one, a secret is not taken."""

    def is_open_to(self, call: Call) -> bool:
        """Return whether a call carries a token of an application."""
        return call.headers.get("authorization", "").removeprefix("Bearer ") in self._tokens

    def forget_tokens(self) -> None:
        """End all tokens of applications."""
        self._tokens.clear()

    def answer(self, call: Call) -> Answer:
        """Answer one call of the token endpoint."""
        form = flat(call.body)
        match form.get("grant_type"):
            case "client_credentials":
                return self._application(form)
            case "refresh_token":
                login, at = self._refresh.get(form.get("refresh_token", ""), ("", _NEVER))
                whose = self._provider.by_login(login)
                if whose is None or at <= whose.sessions_from:
                    return _no("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked.")
            case _:
                whose = self._provider.signed_in(form.get("username", ""), form.get("password", ""))
                if whose is None:
                    return _no("invalid_grant", "AADSTS50126: Error validating credentials.")
        refresh = secrets.token_urlsafe(24)
        self._refresh[refresh] = (whose.login, self._provider.clock().replace(microsecond=0))
        return _yes(secrets.token_urlsafe(24), refresh_token=refresh)

    def _application(self, form: Mapping[str, str]) -> Answer:
        if form.get("client_id") != CLIENT_ID or not self._is_proven(form):
            return _no("invalid_client", "AADSTS7000215: Invalid client secret provided.", status=401)
        if not form.get("scope", "").endswith("/.default"):
            return _no("invalid_scope", "AADSTS1002012: The provided value for scope is not valid.")
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return _yes(token)

    def _is_proven(self, form: Mapping[str, str]) -> bool:
        if self.certificate is None:
            return secrets.compare_digest(form.get("client_secret", ""), CLIENT_SECRET)
        claims = claims_of(form.get("client_assertion", ""), self.certificate, audience=self._url + PATH)
        return claims is not None and claims["iss"] == claims["sub"] == CLIENT_ID and "x5t#S256" in claims


def _yes(token: str, **more: str) -> Answer:
    body = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": token}
    return Answer(200, {**body, **more})


def _no(error: str, description: str, *, status: int = 400) -> Answer:
    numbers = [int(description.partition(":")[0].removeprefix("AADSTS"))]
    return Answer(status, {"error": error, "error_description": description, "error_codes": numbers})
