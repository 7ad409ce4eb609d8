"""Feeds from their official addresses: a pinned host each, a limit of size, written to a file before it is read."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from chassis.clock import Clock
from chassis.errors import NeverWorks
from chassis.http import Outbound, Policy
from services.compliance.catalog.feeds.formats import Format
from services.compliance.catalog.files import Source

CAREFUL: Final = Policy(calls_per_second=2, burst=2, timeout_seconds=120)
MIB: Final = 1024 * 1024
CVE: Final = re.compile(r"CVE-(?P<year>[0-9]{4})-(?P<number>[0-9]{4,19})")
RHSA: Final = re.compile(r"RH[SBE]A-(?P<year>[0-9]{4}):(?P<number>[0-9]{4,6})")


class NoSuchAddress(NeverWorks):
    """What was asked for has no official address here; the text says what to do instead."""


class TooLarge(NeverWorks):
    """An answer is larger than the feed can be; nothing of it was kept."""


class Packed(NeverWorks):
    """An answer is packed for its way, so that its size says nothing; nothing of it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a feed is published. `path` makes a path of what was asked for and the day; `None`: it has no such."""

    host: str
    path: Callable[[str, datetime], str | None]
    needs_names: bool = False
    most_bytes: int = 64 * MIB


def _of_advisory(name: str, _: datetime) -> str | None:
    match = RHSA.fullmatch(name)
    return f"/data/csaf/v2/advisories/{match['year']}/{name.lower().replace(':', '_')}.json" if match else None


def _of_record(name: str, _: datetime) -> str | None:
    match = CVE.fullmatch(name)
    if match is None:
        return None
    return f"/cisagov/vulnrichment/develop/{match['year']}/{match['number'][:-3]}xxx/{name}.json"


ADDRESSES: Final[Mapping[Format, Address]] = {
    Format.KEV: Address(
        host="https://www.cisa.gov", path=lambda *_: "/sites/default/files/feeds/known_exploited_vulnerabilities.json"
    ),
    Format.EPSS: Address(
        host="https://epss.empiricalsecurity.com",
        path=lambda _, now: f"/epss_scores-{now - timedelta(days=1):%Y-%m-%d}.csv.gz",
    ),
    Format.LIFECYCLE: Address(host="https://endoflife.date", path=lambda *_: "/api/v1/products/full"),
    Format.CSAF: Address(
        host="https://security.access.redhat.com", path=_of_advisory, needs_names=True, most_bytes=32 * MIB
    ),
    Format.SSVC: Address(
        host="https://raw.githubusercontent.com", path=_of_record, needs_names=True, most_bytes=4 * MIB
    ),
}
"""Source: the publishers' own pages. Unconfirmed: none could be reached where this was written."""


async def fetch(
    kind: Format, names: Sequence[str], folder: Path, clock: Clock, *, addresses: Mapping[Format, Address] = ADDRESSES
) -> list[Source]:
    """Return what the publisher has now, each file also written into `folder`, under its digest.

    Raises:
        NoSuchAddress: the format has no official address, or not for one of `names`.
        TooLarge: an answer is larger than the feed's limit.
        Packed: an answer is packed for its way.
        Refused: the publisher says no, or sends elsewhere.
        Unavailable: it does not answer.
    """
    address = addresses.get(kind)
    if address is None:
        has = ", ".join(sorted(addresses))
        raise NoSuchAddress(f"{kind} has no official address here (these have: {has}); load it from a file")
    if address.needs_names and not names:
        raise NoSuchAddress(f"{kind} is published one by one: say which, such as RHSA-2022:0011 or CVE-2024-3400")
    outbound = Outbound(address.host, CAREFUL, transport=_Limited(address.most_bytes))
    try:
        return [await _one(outbound, _path(address, name, clock()), folder, clock()) for name in names or ("",)]
    finally:
        await outbound.close()


def _path(address: Address, name: str, now: datetime) -> str:
    path = address.path(name, now)
    if path is None:
        raise NoSuchAddress(f"{name!r} is no name that {urlsplit(address.host).hostname} publishes under")
    return path


async def _one(outbound: Outbound, path: str, folder: Path, now: datetime) -> Source:
    content = (await outbound.call("GET", path)).content
    file = folder / f"{hashlib.sha256(content).hexdigest()[:16]}-{path.rpartition('/')[2]}"
    _write(file, content)
    return Source(file.name, f"{outbound.host}{path}", content, fetched_at=now)


def _write(file: Path, content: bytes) -> None:
    """Write the file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    beside.write_bytes(content)
    beside.replace(file)


class _Limited(httpx.AsyncBaseTransport):
    """Ends an answer that grows over a limit: nobody fills our memory."""

    def __init__(self, most_bytes: int) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._most_bytes = most_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"  # else what is counted is not what is unpacked into memory
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            await answer.aclose()
            raise Packed(f"{request.url.host}: the answer is packed, and nobody asked for that; nothing was kept")
        assert isinstance(answer.stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport has no other
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_LimitedStream(answer.stream, self._most_bytes, request.url.host),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _LimitedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, most_bytes: int, host: str) -> None:
        self._inner = inner
        self._most_bytes = most_bytes
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for part in self._inner:
            read += len(part)
            if read > self._most_bytes:
                raise TooLarge(f"{self._host}: the answer has more than {self._most_bytes} bytes; nothing was kept")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
