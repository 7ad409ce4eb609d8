"""A server whose certificate ran out is not believed, and again once it is renewed; nobody has to restart anything."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.errors import certificate_trouble
from chassis.http import Outbound, Policy, Unavailable
from patchline.local.certificate import Authority, files_in
from simulators.slow_proxy import LOOPBACK, slow_proxy

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
POLICY = Policy(calls_per_second=1000, burst=1000, timeout_seconds=2, attempts=1, breaker_failures=100)
NAME = "tracker.example"


class Server:
    """A server that speaks TLS and remembers what it was asked; its authority is in a file from the beginning."""

    def __init__(self, folder: Path) -> None:
        self.files = files_in(folder)
        self.asked: list[bytes] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority = Authority(NAME)

    def show(self, until: datetime) -> None:
        self._authority.issue(self.files, NAME, LOOPBACK, until=until)
        self.tls.load_cert_chain(self.files.certificate, self.files.key)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def called(server: Server) -> AsyncIterator[Outbound]:
    listening = await asyncio.start_server(server.answer, LOOPBACK, 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, slow_proxy(port, tls=server.tls) as proxy:
        outbound = Outbound(f"https://{LOOPBACK}:{proxy.port}", POLICY)
        try:
            yield outbound
        finally:
            await outbound.close()


async def test_who_shows_an_expired_certificate_is_told_nothing_and_what_is_wrong_is_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    server.show(datetime.now(UTC) - timedelta(minutes=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.files.authority))

    async with called(server) as outbound:
        with pytest.raises(Unavailable, match="certificate has expired") as met:
            await outbound.call("POST", "/ticket", json={"title": "a secret"})

    assert not met.value.ambiguous
    assert not server.asked
    assert ("certificate refused", logging.ERROR) in [(each.message, each.levelno) for each in caplog.records]


async def test_who_renews_its_certificate_is_believed_by_the_same_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path)
    server.show(datetime.now(UTC) - timedelta(minutes=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.files.authority))

    async with called(server) as outbound:
        with pytest.raises(Unavailable):
            await outbound.call("GET", "/ticket")
        server.show(datetime.now(UTC) + timedelta(minutes=1))
        answer = await outbound.call("GET", "/ticket")

    assert answer.json() == {}


def test_an_error_that_is_about_something_else_names_no_certificate() -> None:
    assert certificate_trouble(ConnectionResetError()) == ""
