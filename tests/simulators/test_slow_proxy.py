"""The TCP proxy that hangs, loses answers and breaks: each way by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulators.slow_proxy import LOOPBACK, SlowProxy, Streams, slow_proxy


@asynccontextmanager
async def between(came: list[bytes]) -> AsyncIterator[SlowProxy]:
    """Yield a proxy to somebody who remembers in `came` what was asked, and answers each time."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(100):
            came.append(asked)
            writer.write(b"done")
        writer.close()

    server = await asyncio.start_server(answering, LOOPBACK, 0)
    async with server, slow_proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def asked(proxy: SlowProxy) -> Streams:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    writer.write(b"do it")
    return reader, writer


async def test_what_is_asked_while_answers_are_lost_is_done_and_heard_of_once_mended() -> None:
    came: list[bytes] = []
    async with between(came) as proxy:
        proxy.lose_answers()

        reader, writer = await asked(proxy)
        while not came:
            await asyncio.sleep(0.01)
        proxy.mend()

        assert await reader.read(100) == b"done"
        writer.close()


async def test_nothing_is_done_while_it_hangs_and_all_of_it_once_mended() -> None:
    came: list[bytes] = []
    async with between(came) as proxy:
        proxy.hang()

        reader, writer = await asked(proxy)
        await asyncio.sleep(0.05)
        done_before = list(came)
        proxy.mend()

        assert await reader.read(100) == b"done"
        assert not done_before
        writer.close()


async def test_one_who_comes_while_it_refuses_is_cut_off() -> None:
    async with between([]) as proxy:
        proxy.is_refusing = True

        reader, writer = await asked(proxy)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(4)
        writer.close()
