"""Keys of callbacks: fetched once beside the door, believed while they stand, never for one request alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from chassis.errors import NeverWorks
from chassis.health import Progress
from chassis.http import Unavailable
from services.gateway.adapters.callback_key_api import NoKeyThere, key_at
from services.gateway.door import callback_keys
from services.gateway.door.callback_keys import CallbackKeys

ADDRESS = "https://na.example.net/keys/1"


class Vendor:
    """Hands out keys, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: str | Exception = "a key"
        self.delay_seconds = 0.0

    async def key(self, address: str) -> str:
        self.asked.append(address)
        await asyncio.sleep(self.delay_seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@asynccontextmanager
async def running(vendor: Vendor) -> AsyncIterator[CallbackKeys]:
    keys, stopping = CallbackKeys(vendor.key, Progress()), asyncio.Event()
    task = asyncio.create_task(keys.run(stopping))
    try:
        yield keys
    finally:
        stopping.set()
        await task


async def test_the_first_callback_of_an_address_waits_for_its_key() -> None:
    vendor = Vendor()

    async with running(vendor) as keys:
        await keys.wait_for(ADDRESS)

        assert dict(keys.by_address) == {ADDRESS: "a key"}


async def test_a_hundred_callbacks_at_once_fetch_one_key() -> None:
    vendor = Vendor()
    vendor.delay_seconds = 0.1

    async with running(vendor) as keys:
        await asyncio.gather(*(keys.wait_for(ADDRESS) for _ in range(100)))
        await keys.wait_for(ADDRESS)

    assert vendor.asked == [ADDRESS]


async def test_nobody_waits_long_for_a_vendor_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_keys, "WAIT_SECONDS", 0.05)
    vendor = Vendor()
    vendor.delay_seconds = 0.3

    async with running(vendor) as keys:
        async with asyncio.timeout(0.25):
            await keys.wait_for(ADDRESS)
        assert dict(keys.by_address) == {}
        await asyncio.sleep(0.4)

        assert dict(keys.by_address) == {ADDRESS: "a key"}


async def test_a_key_that_is_taken_back_is_believed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_keys, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(callback_keys, "PAUSE_SECONDS", 0.01)
    vendor = Vendor()

    async with running(vendor) as keys:
        await keys.wait_for(ADDRESS)
        vendor.answer = NeverWorks("gone")
        await keys.wait_for(ADDRESS)

        assert dict(keys.by_address) == {}


async def test_a_vendor_that_does_not_answer_takes_no_key_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_keys, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(callback_keys, "PAUSE_SECONDS", 0.01)
    vendor = Vendor()

    async with running(vendor) as keys:
        await keys.wait_for(ADDRESS)
        vendor.answer = Unavailable("asleep")
        await keys.wait_for(ADDRESS)

        assert dict(keys.by_address) == {ADDRESS: "a key"}


async def test_made_up_addresses_are_bounded() -> None:
    vendor = Vendor()
    keys = CallbackKeys(vendor.key, Progress())

    asked = [keys._ask(f"https://na.example.net/{number}") for number in range(1000)]

    assert len([each for each in asked if each is not None]) == callback_keys.MOST_ADDRESSES


async def test_the_key_is_read_from_what_its_address_answers() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert (str(request.url), "authorization" in request.headers) == (f"{ADDRESS}?v=2", False)
        return httpx.Response(200, json={"signing_key": "the key"})

    assert await key_at(f"{ADDRESS}?v=2", transport=httpx.MockTransport(answer)) == "the key"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(200, json={"other": 1}), NoKeyThere),
        (httpx.Response(200, content=b"<html>"), NoKeyThere),
        (httpx.Response(302, headers={"location": "https://evil.example/"}), NeverWorks),
        (httpx.Response(404), NeverWorks),
        (httpx.Response(503), Unavailable),
    ],
)
async def test_answers_without_a_key(response: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        await key_at(ADDRESS, transport=httpx.MockTransport(lambda _: response))
