"""Feeds from a publisher's address: kept as a file, limited in size, and never from anywhere else."""

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.errors import WrongSetting
from chassis.http import Refused
from services.compliance.catalog import official
from services.compliance.catalog.feeds import epss
from services.compliance.catalog.feeds.formats import Format
from services.compliance.catalog.feeds.found import FeedRefused, Options
from services.compliance.catalog.files import Source, digest, read_files
from services.compliance.catalog.official import ADDRESSES, Address, NoSuchAddress, Packed, TooLarge
from tests.compliance.catalog import files

NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
HEADERS = "Content-Type: application/octet-stream\r\nConnection: close\r\n"


@asynccontextmanager
async def publisher(content_by_path: Mapping[str, bytes]) -> AsyncIterator[str]:
    """Serve bytes on this machine: a path that ends in `packed` as if packed on its way, any other is a 404.

    A path that ends in `moved` sends elsewhere.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        content = content_by_path.get(path)
        if path.endswith("moved"):
            writer.write(
                f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n{HEADERS}\r\n".encode()
            )
        elif content is None:
            writer.write(f"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n{HEADERS}\r\n".encode())
        else:
            packed = "Content-Encoding: gzip\r\n" if path.endswith("packed") else ""
            writer.write(f"HTTP/1.1 200 OK\r\n{packed}{HEADERS}\r\n".encode() + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def fetched(
    folder: Path, content_by_path: Mapping[str, bytes], path: str, *, most_bytes: int = 10_000
) -> list[Source]:
    async with publisher(content_by_path) as host:
        address = Address(host=host, path=lambda *_: path, most_bytes=most_bytes)
        return await official.fetch(Format.EPSS, [], folder, lambda: NOW, addresses={Format.EPSS: address})


async def test_what_is_fetched_is_a_file_first_with_its_digest_and_its_moment(tmp_path: Path) -> None:
    packed = gzip.compress(files.epss("CVE-2024-90001,0.01,0.5").text.encode())

    [source] = await fetched(tmp_path / "feeds", {"/scores.csv.gz": packed}, "/scores.csv.gz")

    [file] = (tmp_path / "feeds").iterdir()
    assert file.read_bytes() == packed
    assert file.name == f"{hashlib.sha256(packed).hexdigest()[:16]}-scores.csv.gz"
    assert (source.fetched_at, source.origin.endswith("/scores.csv.gz")) == (NOW, True)
    assert epss.read([source.file], Options()).entries == 1


async def test_an_answer_over_the_limit_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="more than 1000 bytes; nothing was kept"):
        await fetched(tmp_path / "feeds", {"/a": b"x" * 100_000}, "/a", most_bytes=1000)

    assert not (tmp_path / "feeds").exists()


@pytest.mark.parametrize(("path", "status"), [("/gone", 404), ("/moved", 302)])
async def test_a_publisher_that_says_no_or_sends_elsewhere_is_refused(tmp_path: Path, path: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        await fetched(tmp_path, {}, path)

    assert refused.value.status == status


async def test_an_answer_that_would_unpack_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(1_000_000))

    with pytest.raises(Packed, match="is packed"):
        await fetched(tmp_path / "feeds", {"/packed": bomb}, "/packed")

    assert len(bomb) < 10_000
    assert not (tmp_path / "feeds").exists()


async def test_a_format_without_an_address_says_which_have_one(tmp_path: Path) -> None:
    with pytest.raises(NoSuchAddress, match=r"these have: csaf, epss, kev, lifecycle, ssvc"):
        await official.fetch(Format.WINDOWS_KB, [], tmp_path, lambda: NOW)
    with pytest.raises(NoSuchAddress, match="say which"):
        await official.fetch(Format.CSAF, [], tmp_path, lambda: NOW)
    with pytest.raises(NoSuchAddress, match="is no name that"):
        await official.fetch(Format.SSVC, ["../../etc"], tmp_path, lambda: NOW)


async def test_an_address_on_another_machine_is_https_or_nothing(tmp_path: Path) -> None:
    plain = {Format.KEV: Address(host="http://feeds.example", path=lambda *_: "/kev.json")}

    with pytest.raises(WrongSetting, match="use https"):
        await official.fetch(Format.KEV, [], tmp_path, lambda: NOW, addresses=plain)


RECORDS = "/cisagov/vulnrichment/develop"
PATHS = {
    "the advisory": (Format.CSAF, "RHSA-2022:0011", "/data/csaf/v2/advisories/2022/rhsa-2022_0011.json"),
    "a CVE of four digits": (
        Format.SSVC,
        "CVE-2024-3400",
        "/cisagov/vulnrichment/develop/2024/3xxx/CVE-2024-3400.json",
    ),
    "a CVE of five digits": (
        Format.SSVC,
        "CVE-2021-44228",
        "/cisagov/vulnrichment/develop/2021/44xxx/CVE-2021-44228.json",
    ),
    "yesterday's scores": (Format.EPSS, "", "/epss_scores-2026-02-02.csv.gz"),
}


@pytest.mark.parametrize(("kind", "name", "path"), PATHS.values(), ids=PATHS.keys())
def test_where_each_is_published(kind: Format, name: str, path: str) -> None:
    assert ADDRESSES[kind].path(name, NOW) == path
    assert ADDRESSES[kind].host.startswith("https://")


def test_a_folder_stands_for_its_json_files_and_several_files_have_one_digest(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt"):
        (tmp_path / name).write_text(name)

    found = read_files([tmp_path])

    assert [each.name for each in found] == ["a.json", "b.json"]
    assert digest(found) == digest(list(reversed(found)))
    assert digest(found) != digest(found[:1])


BROKEN = {
    "packed and cut off": (gzip.compress(b"x" * 1000)[:20], "is packed, and broken"),
    "not text": (b"\xff\xfe\x00", "is not UTF-8"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_bytes_that_are_no_text_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(FeedRefused, match=reason):
        _ = Source("a", "a", content).file


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedRefused, match="cannot be read: No such file"):
        read_files([tmp_path / "none.csv"])
    with pytest.raises(FeedRefused, match="no JSON file is in there"):
        read_files([tmp_path])
