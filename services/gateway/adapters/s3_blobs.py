"""Large sealed bodies in an S3-compatible store, signed with AWS Signature Version 4.

Source: Amazon S3 API reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single
Chunk"; PutObject, GetObject; path-style addresses, which every compatible store understands.
"""

import hashlib
import hmac
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import httpx

from chassis.errors import MayWorkLater, WrongSetting
from chassis.http import Outbound, Policy, Refused
from services.gateway.keys.store_blobs import is_hash

POLICY: Final = Policy(calls_per_second=100, burst=100, timeout_seconds=5)
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class StoreUnavailable(MayWorkLater):
    """The store is away, or does not let us: a person can mend that, and no body is given up for it."""


class SignedV4(httpx.Auth):
    """Signs each request for one region of S3."""

    requires_request_body = True

    def __init__(
        self, *, key_id: str, secret: str, region: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Sign as `key_id`."""
        self._key_id = key_id
        self._secret = secret
        self._region = region
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add what proves who asks, and that nothing was changed on the way."""
        moment = self._now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        request.headers["x-amz-date"] = moment
        request.headers["x-amz-content-sha256"] = hashlib.sha256(request.content).hexdigest()
        request.headers["authorization"] = self._authorization(request, moment)
        yield request

    def _authorization(self, request: httpx.Request, moment: str) -> str:
        signed = sorted(name for name in request.headers if name == "host" or name.startswith("x-amz-"))
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        text = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(_canonical(request, signed)).hexdigest()])
        signature = hmac.digest(self._key(moment[:8]), text.encode(), "sha256").hex()
        return (
            f"{_ALGORITHM} Credential={self._key_id}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
        )

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self._secret}".encode()
        for part in (day, self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def _canonical(request: httpx.Request, signed: Sequence[str]) -> bytes:
    """Return the request in the one form that both sides hash."""
    path, _, query = request.url.raw_path.decode().partition("?")
    parameters = sorted(
        tuple(quote(unquote(part), safe="-_.~") for part in (name, value))
        for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
    )
    lines = [
        request.method,
        quote(unquote(path), safe="/-_.~"),
        "&".join("=".join(pair) for pair in parameters),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in signed),
        "",
        ";".join(signed),
        request.headers["x-amz-content-sha256"],
    ]
    return "\n".join(lines).encode()


class S3Blobs:
    """The blob store in one bucket. Close it at the end."""

    def __init__(
        self,
        url: str,
        *,
        bucket: str,
        auth: httpx.Auth,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Use `bucket` of the store at `url`.

        Raises:
            WrongSetting: the address is none that may be called, or no bucket is named.
        """
        if not bucket:
            raise WrongSetting("PATCHLINE_S3_BUCKET: name the bucket of PATCHLINE_S3_URL")
        self._outbound = Outbound(url, policy, auth=auth, transport=transport)
        self._folder = f"/{bucket}/bodies"

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def put(self, blob: str, source: str, body: bytes) -> None:
        """Keep `body`; durable when this returns. A repeat writes the same bytes under the same name.

        Raises:
            StoreUnavailable: it could not be kept now.
        """
        headers = {"content-type": "application/octet-stream", "x-amz-meta-source": source}
        try:
            await self._outbound.call("PUT", f"{self._folder}/{blob}", headers=headers, content=body)
        except (Refused, MayWorkLater) as error:
            raise StoreUnavailable(f"blob store at {self._outbound.host}: {error}") from error

    async def fetch(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return those of `blobs` that are there; a name that is no hash is not.

        Raises:
            StoreUnavailable: it cannot be said now.
        """
        found = {each: await self._body(each) for each in blobs if is_hash(each)}
        return {blob: body for blob, body in found.items() if body is not None}

    async def _body(self, blob: str) -> bytes | None:
        try:
            answer = await self._outbound.call("GET", f"{self._folder}/{blob}")
        except Refused as error:
            if error.status == httpx.codes.NOT_FOUND and "NoSuchKey" in str(error):
                return None  # a bucket that is missing says NoSuchBucket: that is a setting, and can be mended
            raise StoreUnavailable(f"blob store at {self._outbound.host}: {error}") from error
        except MayWorkLater as error:
            raise StoreUnavailable(f"blob store at {self._outbound.host}: {error}") from error
        return answer.content


def secret_key(file: Path | None) -> str:
    """Return the secret access key in `file`.

    Raises:
        WrongSetting: no file is named, or it cannot be read.
    """
    if file is None:
        raise WrongSetting("PATCHLINE_S3_SECRET_KEY_FILE: name the file with the secret access key")
    try:
        return file.read_text().strip()
    except OSError as error:
        raise WrongSetting(f"PATCHLINE_S3_SECRET_KEY_FILE: {file}: {error.strerror}") from error
