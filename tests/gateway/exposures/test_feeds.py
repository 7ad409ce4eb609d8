"""What feeds knock with: believed as all are, redacted before it is kept, set aside where it cannot be read."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.gateway.doors import signed
from tests.gateway.exposures.bodies import CANARY, notification, own, spycloud, written
from tests.gateway.exposures.knocking import GRAPH, OWN, SPYCLOUD, STATE, knocking

SHARED = {"x-shared": "a shared secret"}
TOLD = written(own())
LEAK = f"bob@acme.example:{CANARY}".encode()


async def test_what_a_feed_signed_is_kept_without_its_secret(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        response = await door.client.post(OWN, content=TOLD, headers=signed(TOLD))

    [body] = door.way.bodies()
    [(headers, _)] = door.way.records
    assert response.status_code == 202
    assert dict(headers)["raw_id"].decode() == response.json()["raw_id"]
    assert (dict(headers)["source"], dict(headers)["delivery"]) == (b"exposure/patchline/own", b"msg_1")
    assert CANARY.encode() not in body
    assert json.loads(body)["records"][0]["login"] == "bob@acme.example"
    assert door.quarantine.rows == {}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param(OWN, signed(TOLD, key=b"another key, as long as it takes"), id="forged"),
        pytest.param(OWN, signed(TOLD + b" "), id="of another body"),
        pytest.param(OWN, signed(TOLD, at=datetime.now(UTC) - timedelta(hours=1)), id="stale"),
        pytest.param(OWN, {}, id="not signed"),
        pytest.param(SPYCLOUD, {"x-shared": "another secret"}, id="another secret"),
        pytest.param(GRAPH, {}, id="no client state"),
        pytest.param("/webhooks/exposure/patchline/other", signed(TOLD), id="an unknown source"),
    ],
)
async def test_what_is_not_believed_leaves_nothing(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async with knocking(tmp_path) as door:
        response = await door.client.post(path, content=TOLD, headers=headers)

    assert response.status_code == 401
    assert (door.way.records, door.quarantine.rows) == ([], {})


async def test_what_cannot_be_read_is_sealed_to_the_offline_key_and_goes_nowhere_else(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        responses = [await door.client.post(SPYCLOUD, content=LEAK, headers=SHARED) for _ in range(2)]

    [row] = door.quarantine.rows.values()
    assert [each.status_code for each in responses] == [202, 202]
    assert str(row.raw_id) == responses[0].json()["raw_id"]
    assert (door.way.records, door.set_aside()) == ([], [LEAK])
    assert CANARY.encode() not in row.sealed
    assert CANARY not in repr(row)


async def test_a_record_that_cannot_be_read_is_set_aside_with_its_delivery_and_the_others_go_on(tmp_path: Path) -> None:
    body = written({"results": [spycloud(), spycloud(email=LEAK.decode())]})

    async with knocking(tmp_path) as door:
        response = await door.client.post(SPYCLOUD, content=body, headers=SHARED)

    [(headers, _)] = door.way.records
    [row] = door.quarantine.rows.values()
    assert response.status_code == 202
    assert door.set_aside() == [body]
    assert str(row.raw_id) == dict(headers)["raw_id"].decode() == response.json()["raw_id"]
    assert CANARY.encode() not in door.way.bodies()[0]


async def test_with_the_database_away_what_cannot_be_read_is_to_come_again_and_what_can_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with knocking(tmp_path) as door:
        door.quarantine.is_away = True
        unreadable = await door.client.post(SPYCLOUD, content=LEAK, headers=SHARED)
        readable = await door.client.post(SPYCLOUD, content=written(spycloud()), headers=SHARED)

    assert (unreadable.status_code, unreadable.headers["retry-after"]) == (503, "5")
    assert readable.status_code == 202
    assert len(door.way.records) == 1
    assert CANARY not in caplog.text


async def test_with_nothing_that_keeps_it_a_delivery_is_to_come_again(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        door.way.is_away = True
        response = await door.client.post(SPYCLOUD, content=written(spycloud()), headers=SHARED)

    assert response.status_code == 503


async def test_without_its_keys_a_gateway_takes_no_exposures(tmp_path: Path) -> None:
    async with knocking(tmp_path, with_keys=False) as door:
        response = await door.client.post(SPYCLOUD, content=written(spycloud()), headers=SHARED)

    assert response.status_code == 503
    assert "PATCHLINE_FINGERPRINT_KEY_FILE" in response.json()["detail"]
    assert door.way.records == []


async def test_ten_thousand_accounts_in_one_delivery_are_kept_in_one_record(tmp_path: Path) -> None:
    body = written([{"email": f"u{number}@acme.example", "password": CANARY} for number in range(10_000)])

    async with knocking(tmp_path) as door:
        response = await door.client.post(SPYCLOUD, content=body, headers=SHARED)

    assert response.status_code == 202
    [kept] = door.way.bodies()
    assert len(json.loads(kept)["records"]) == 10_000
    assert CANARY.encode() not in kept


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_feeds_deliver_with_post(tmp_path: Path, method: str) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.request(method, OWN)).status_code == 405


async def test_the_handshake_of_graph_is_answered_with_the_decoded_token_and_kept_nowhere(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        response = await door.client.post(
            f"{GRAPH}?validationToken=Validation%3a+Testing+client+%3Cb%3E%26+x", headers={"content-type": "text/plain"}
        )

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.text == "Validation: Testing client &lt;b&gt;&amp; x"
    assert door.way.records == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?validationToken=a&validationToken=b",
        f"?validationToken={'a' * 3000}",
        "?validationtoken=a",
        "?a=1" + "&a=1" * 40,
    ],
    ids=["none", "two", "long", "another name", "too many fields"],
)
async def test_no_other_question_is_a_handshake(tmp_path: Path, query: str) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.post(f"{GRAPH}{query}")).status_code == 401


async def test_only_graph_shakes_hands(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.post(f"{OWN}?validationToken=a")).status_code == 401


async def test_notifications_of_several_tenants_are_believed_by_their_client_state(tmp_path: Path) -> None:
    told = {"value": [notification(clientState=STATE, tenantId=each) for each in ("t-1", "t-2")]}

    async with knocking(tmp_path) as door:
        response = await door.client.post(GRAPH, content=written(told))

    [body] = door.way.bodies()
    assert response.status_code == 202
    assert STATE.encode() not in body
    assert [each["organisation"] for each in json.loads(body)["records"]] == ["t-1", "t-2"]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"value": [notification(clientState=STATE), notification()]}, id="one of two forged"),
        pytest.param({"value": [notification(clientState=None)]}, id="none"),
        pytest.param({"value": []}, id="nothing"),
        pytest.param({"value": [STATE]}, id="no object"),
        pytest.param([notification(clientState=STATE)], id="a list"),
        pytest.param({"clientState": STATE}, id="beside"),
    ],
)
async def test_a_notification_without_the_client_state_is_forged(tmp_path: Path, told: object) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.post(GRAPH, content=written(told))).status_code == 401
    assert (door.way.records, door.quarantine.rows) == ([], {})
