"""A consumer and its relay whose way to the database hangs and breaks: nothing lost, nothing doubled."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

from contracts.topics import Topic
from simulators.slow_proxy import SlowProxy, slow_proxy
from tests.chassis.machine_room import Keeper, counted, records_of, running, seen, send, until

RECORDS = 300


async def break_often(proxy: SlowProxy, times: int) -> None:
    """Let the network hang for a while, break what is open, and be slow, so often."""
    for number in range(times):
        await asyncio.sleep(0.7)
        proxy.hang()
        await asyncio.sleep(0.5 + number)
        proxy.cut()
        proxy.mend()
        proxy.delay_seconds = 0.02 * number
    proxy.mend()


async def test_a_way_to_the_database_that_hangs_and_breaks_loses_and_doubles_nothing(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    texts = [f"v{number:03}" for number in range(RECORDS)]
    parts = urlsplit(empty_room)

    async with slow_proxy(parts.port or 5432) as proxy:
        behind = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"))
        async with running(behind, kafka, Keeper(topic), f"g-{topic.name}") as consuming:
            breaking = asyncio.create_task(break_often(proxy, 3))
            while not breaking.done():
                batch, texts = texts[:20], texts[20:]
                await send(kafka, topic, [text.encode() for text in batch])
                await asyncio.sleep(0.3)
            await send(kafka, topic, [text.encode() for text in texts])
            await until(lambda: counted(empty_room, RECORDS), 60)
            assert not consuming.done()

    everything = [f"v{number:03}" for number in range(RECORDS)]
    assert await seen(empty_room) == everything
    assert {value for value, _ in await records_of(kafka, topic.dead_letters)} == {text.encode() for text in everything}
