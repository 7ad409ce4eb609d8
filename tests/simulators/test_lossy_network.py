"""A network of its own that loses packets: what goes through it arrives all the same, later."""

import asyncio

import pytest

from simulators.lossy_network import LossyNetwork, hindrance, lossy_proxy
from simulators.slow_proxy import LOOPBACK

PIECE = b"patch"
SENT = PIECE * 20_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece)
        await writer.drain()
    writer.close()


@pytest.mark.skipif(bool(hindrance()), reason="no network of its own can be had here")
async def test_what_goes_through_a_lossy_network_arrives_whole_though_packets_were_lost() -> None:
    network = LossyNetwork()
    network.enter()
    server = await asyncio.start_server(echo, LOOPBACK, 0)
    async with server, lossy_proxy(network, server.sockets[0].getsockname()[1]) as proxy:
        network.spoil(0.1)
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)

        async with asyncio.timeout(60):
            while network.dropped() == 0:  # few packets are enough for much: chance may spare all of them
                writer.write(PIECE)
                assert await reader.readexactly(len(PIECE)) == PIECE
            writer.write(SENT)
            came = await reader.readexactly(len(SENT))

        assert came == SENT
        writer.close()
        network.spoil(0)
    network.leave()
