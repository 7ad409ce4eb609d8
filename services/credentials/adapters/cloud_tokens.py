"""Tokens of cloud directories: a fixed one, or OAuth 2.0 with a client's secret or a signed assertion."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr

from chassis.errors import WrongSetting
from chassis.http import Outbound, Refused, Unavailable
from services.credentials.adapters.cloud import AnswerNotUnderstood, code_of, decoded

ASSERTION_SECONDS: Final = 300
_MARGIN_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 10.0
_BEGINS: Final = b"-----BEGIN "


class FixedToken:
    """A token that somebody made once, such as Okta's `SSWS`."""

    def __init__(self, scheme: str, token: SecretStr) -> None:
        """Send `token` after the word `scheme`."""
        self._scheme = scheme
        self._token = token

    async def header(self) -> str:
        """Return the value of `Authorization`."""
        return f"{self._scheme} {self._token.get_secret_value()}"

    def forget(self) -> None:
        """Do nothing: there is no other."""

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class GrantedTokens:
    """Access tokens of an OAuth 2.0 token endpoint, one at a time, until shortly before each ends."""

    def __init__(self, outbound: Outbound, path: str, grant: Callable[[], Mapping[str, str]]) -> None:
        """Ask `path` below the address of `outbound`; `grant` returns the form to send."""
        self._outbound = outbound
        self._path = path
        self._grant = grant
        self._token: SecretStr | None = None
        self._until = 0.0

    async def header(self) -> str:
        """Return the value of `Authorization`.

        Raises:
            Refused: with the endpoint's error code alone.
            Unavailable: no answer; never ambiguous, because nothing was changed anywhere.
        """
        if self._token is None or time.monotonic() >= self._until:
            await self._renew()
        assert self._token is not None  # noqa: S101 - for mypy: renewed, or raised
        return f"Bearer {self._token.get_secret_value()}"

    def forget(self) -> None:
        """Ask for a new one the next time."""
        self._token = None

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def _renew(self) -> None:
        try:
            answer = decoded(await self._outbound.call("POST", self._path, form=self._grant()))
        except Refused as error:
            raise Refused(error.status, f"no token: {code_of(error)}") from None
        except Unavailable as error:
            raise Unavailable(
                f"{self._outbound.host}: no token", retry_after_seconds=error.retry_after_seconds, limited=error.limited
            ) from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise AnswerNotUnderstood(f"{self._outbound.host}: an answer without access_token")
        seconds = answer.get("expires_in")
        lifetime = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e9 else 0.0
        self._token = SecretStr(token)
        self._until = time.monotonic() + max(lifetime - _MARGIN_SECONDS, _SHORTEST_SECONDS)


class Signer:
    """Signs assertions (RFC 7523) with an RSA key."""

    def __init__(self, key: rsa.RSAPrivateKey, header: Mapping[str, str]) -> None:
        """Name the key in the assertion's `header`."""
        self._key = key
        self._header = dict(header)

    def signed(self, claims: Mapping[str, object]) -> str:
        """Return a JWT with these claims, an id of its own, and five minutes to live. Source: RFC 7515, 7519."""
        now = int(time.time())
        whole = {"iat": now, "nbf": now - 30, "exp": now + ASSERTION_SECONDS, "jti": str(uuid.uuid4()), **claims}
        parts = (_encoded(_json({"alg": "RS256", "typ": "JWT", **self._header})), _encoded(_json(whole)))
        text = ".".join(parts)
        return f"{text}.{_encoded(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def is_pem(secret: SecretStr) -> bool:
    """Return whether a secret is a key in PEM, and not a word."""
    return secret.get_secret_value().encode().lstrip().startswith(_BEGINS)


def signer(pem: SecretStr, header: Mapping[str, str]) -> Signer:
    """Return a signer with the RSA key of `pem`.

    Raises:
        WrongSetting: it holds no RSA key that can be used.
    """
    try:
        key = serialization.load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WrongSetting("the directory's secret is no private key in PEM without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise WrongSetting("the directory's private key is not RSA")
    return Signer(key, header)


def thumbprint(pem: SecretStr) -> str:
    """Return the `x5t#S256` of the certificate beside a key. Source: RFC 7515 section 4.1.8.

    Raises:
        WrongSetting: there is no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.get_secret_value().encode())
    except ValueError:
        raise WrongSetting("put the certificate beside the private key, in the same PEM file") from None
    return _encoded(hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
