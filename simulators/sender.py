"""Sends deliveries as vendors do: several at once, again when asked to come back later, every answer written down."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from chassis.clock import Clock
from simulators.deliveries import Delivery, headers_of

AT_ONCE: Final = 16
ATTEMPTS: Final = 6
NOT_THE_SECRET: Final = "whsec_" + "A" * 32
TIMEOUT_SECONDS: Final = 10.0
LONGEST_WAIT_SECONDS: Final = 15.0
_COME_BACK: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery and its last answer: `status` is `None` where none came; `attempts` counts every try."""

    delivery: Delivery
    status: int | None
    attempts: int

    @property
    def is_accepted(self) -> bool:
        """Return whether the other side answered that it has it."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Sends to one gateway, on this machine only."""

    def __init__(
        self, client: httpx.AsyncClient, secrets: Mapping[str, str], clock: Clock, *, attempts: int = ATTEMPTS
    ) -> None:
        """Send through `client`, whose base address is the gateway's, with `secrets` by the sources' full names.

        Raises:
            ValueError: the gateway is not on this machine.
        """
        if client.base_url.host not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError(f"{client.base_url.host}: simulated deliveries are sent to this machine only")
        self._client = client
        self._secrets = secrets
        self._clock = clock
        self._attempts = attempts

    async def send_all(
        self, deliveries: Sequence[Delivery], *, seconds: float, on_sent: Callable[[Sent], None]
    ) -> list[Sent]:
        """Send in order, spread over `seconds`, at most `AT_ONCE` under way; return what came of each, in order."""
        start = asyncio.get_running_loop().time()
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(position: int, delivery: Delivery) -> Sent:
            due = start + seconds * position / len(deliveries)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            async with turns:
                sent = await self._send(delivery)
            on_sent(sent)
            return sent

        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(one(position, each)) for position, each in enumerate(deliveries)]
        return [task.result() for task in sending]

    async def _send(self, delivery: Delivery) -> Sent:
        """Try until there is an answer that is final; a repeat has the same body and the same id."""
        status: int | None = None
        for attempt in range(1, self._attempts + 1):
            wait_seconds = 0.2 * 2**attempt
            try:
                response = await self._post(delivery)
            except httpx.TransportError:
                status = None
            else:
                status = response.status_code
                if status not in _COME_BACK:
                    return Sent(delivery, status, attempt)
                wait_seconds = _asked(response) or wait_seconds
            await asyncio.sleep(min(wait_seconds, LONGEST_WAIT_SECONDS))
        return Sent(delivery, status, self._attempts)

    async def _post(self, delivery: Delivery) -> httpx.Response:
        secret = self._secrets[delivery.source.full_name] if delivery.with_secret else NOT_THE_SECRET
        headers = headers_of(delivery, secret, self._clock())
        return await self._client.post(delivery.path, content=delivery.body, headers=headers, timeout=TIMEOUT_SECONDS)


def _asked(response: httpx.Response) -> float | None:
    """Return how many seconds the other side asked to wait."""
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
