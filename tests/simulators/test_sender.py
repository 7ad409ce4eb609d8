"""The sender: it comes back when asked to, gives up in the end, and writes down every answer."""

from collections.abc import Callable, Sequence

import httpx
import pytest

from chassis.clock import moved_clock
from simulators.deliveries import Delivery, Nature
from simulators.fleet import NINJAONE_MAIN, PATCHLINE_SCRIPTS, Source
from simulators.sender import NOT_THE_SECRET, Sender, Sent

SECRETS = {NINJAONE_MAIN.full_name: "static-secret-of-main", PATCHLINE_SCRIPTS.full_name: "whsec_" + "b" * 32}
Answers = Callable[[httpx.Request], httpx.Response]


def delivery(number: int = 1, *, source: Source = NINJAONE_MAIN, with_secret: bool = True) -> Delivery:
    return Delivery(
        nature=Nature.TRUE,
        name="scanned",
        source=source,
        body=b'{"id":%d}' % number,
        delivery_id=f"msg_{number}",
        with_secret=with_secret,
    )


async def sent(answers: Answers, deliveries: Sequence[Delivery], *, attempts: int = 3) -> list[Sent]:
    seen: list[Sent] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(answers), base_url="http://127.0.0.1:1") as client:
        sender = Sender(client, SECRETS, moved_clock(0), attempts=attempts)
        result = await sender.send_all(deliveries, seconds=0, on_sent=seen.append)
    assert sorted(seen, key=lambda each: each.delivery.delivery_id) == sorted(
        result, key=lambda each: each.delivery.delivery_id
    )
    return result


async def test_each_delivery_goes_to_its_source_with_its_secret() -> None:
    asked: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202)

    results = await sent(answers, [delivery(1), delivery(2, source=PATCHLINE_SCRIPTS), delivery(3, with_secret=False)])

    assert [result.is_accepted for result in results] == [True, True, True]
    by_body = {request.content: request for request in asked}
    assert by_body[b'{"id":1}'].url.path == "/webhooks/rmm/ninjaone/main"
    assert by_body[b'{"id":1}'].headers["x-patchline-secret"] == "static-secret-of-main"
    assert by_body[b'{"id":2}'].url.path == "/webhooks/rmm/patchline/scripts"
    assert by_body[b'{"id":2}'].headers["webhook-signature"].startswith("v1,")
    assert by_body[b'{"id":3}'].headers["x-patchline-secret"] == NOT_THE_SECRET


async def test_a_busy_gateway_gets_the_same_bytes_again() -> None:
    bodies: list[bytes] = []

    def answers(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(202) if len(bodies) == 2 else httpx.Response(503, headers={"retry-after": "0.01"})

    [result] = await sent(answers, [delivery()])

    assert (result.status, result.attempts) == (202, 2)
    assert bodies == [b'{"id":1}'] * 2


async def test_a_lost_answer_is_no_acceptance_and_is_tried_again() -> None:
    tries = 0

    def answers(request: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(202)

    [result] = await sent(answers, [delivery()])

    assert (result.is_accepted, result.attempts) == (True, 2)


async def test_a_gateway_that_never_comes_back_leaves_a_delivery_that_is_not_accepted() -> None:
    [result] = await sent(lambda _: httpx.Response(503, headers={"retry-after": "0.01"}), [delivery()], attempts=2)

    assert (result.is_accepted, result.status, result.attempts) == (False, 503, 2)


async def test_a_refusal_is_final() -> None:
    [result] = await sent(lambda _: httpx.Response(401), [delivery()])

    assert (result.status, result.attempts) == (401, 1)


async def test_results_stand_in_the_order_of_the_deliveries() -> None:
    deliveries = [delivery(number) for number in range(40)]

    results = await sent(lambda _: httpx.Response(202), deliveries)

    assert [result.delivery for result in results] == deliveries


async def test_simulated_deliveries_never_leave_this_machine() -> None:
    async with httpx.AsyncClient(base_url="http://gateway.example") as client:
        with pytest.raises(ValueError, match="this machine only"):
            Sender(client, SECRETS, moved_clock(0))
