"""Following an approval link shows a page and changes nothing; its form is kept as a digest and an answer."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.clock import moved_clock
from contracts import approval
from contracts.approval import Claims
from services.gateway.door.approvals import PATH
from tests.gateway.exposures.knocking import APPROVAL_KEY, knocking

CASE = "9a1b6f0e-0000-5000-8000-000000000001"
CLAIMS = Claims(
    case=CASE, approver_digest="d" * 64, expires_at=datetime.now(UTC) + timedelta(hours=1), nonce="a nonce of the tests"
)
TOKEN = approval.token_of(CLAIMS, APPROVAL_KEY)
FORGED = approval.token_of(CLAIMS, b"o" * 32)
DIGEST = approval.digest_of(TOKEN)


async def test_following_a_link_shows_a_form_and_changes_nothing(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        pages = [await door.client.get(f"{PATH}/{TOKEN}") for _ in range(3)]

    [page] = {each.text for each in pages}
    assert {each.status_code for each in pages} == {200}
    assert CASE in page
    assert page.count(TOKEN) == 1
    assert door.way.records == []


async def test_a_page_loads_nothing_is_kept_by_nobody_and_tells_nobody_where_it_was(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        headers = (await door.client.get(f"{PATH}/{TOKEN}")).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize(("decision", "approves"), [("approve", True), ("refuse", False)])
async def test_an_answer_is_kept_as_the_digest_of_its_token(tmp_path: Path, decision: str, *, approves: bool) -> None:
    async with knocking(tmp_path) as door:
        response = await door.client.post(PATH, data={"token": TOKEN, "decision": decision})

    [(headers, value)] = door.way.records
    assert response.status_code == 202
    assert json.loads(door.way.bodies()[0]) == {"case": CASE, "token": DIGEST, "approve": approves}
    assert dict(headers)["delivery"].decode() == f"{DIGEST}.{decision}"
    assert TOKEN.encode() not in value
    assert TOKEN not in response.text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param({"token": FORGED, "decision": "approve"}, 401, id="signed by another"),
        pytest.param({"token": TOKEN[:-1], "decision": "approve"}, 401, id="cut off"),
        pytest.param({"decision": "approve"}, 401, id="no token"),
        pytest.param({"token": [TOKEN, TOKEN], "decision": "approve"}, 401, id="two tokens"),
        pytest.param({"token": TOKEN}, 400, id="no decision"),
        pytest.param({"token": TOKEN, "decision": "yes"}, 400, id="another decision"),
        pytest.param({"token": TOKEN, "decision": ["approve", "refuse"]}, 400, id="both"),
    ],
)
async def test_no_other_form_is_an_answer(tmp_path: Path, form: dict[str, str], status: int) -> None:
    async with knocking(tmp_path) as door:
        response = await door.client.post(PATH, data=form)

    assert response.status_code == status
    assert door.way.records == []


async def test_a_link_that_has_expired_is_not_valid_any_more(tmp_path: Path) -> None:
    async with knocking(tmp_path, clock=moved_clock(3601)) as door:
        shown = await door.client.get(f"{PATH}/{TOKEN}")
        sent = await door.client.post(PATH, data={"token": TOKEN, "decision": "approve"})

    assert (shown.status_code, sent.status_code, door.way.records) == (401, 401, [])


@pytest.mark.parametrize("token", ["<script>", f"{TOKEN}/x", "", FORGED], ids=["markup", "more", "none", "forged"])
async def test_a_page_repeats_no_word_of_a_link_that_is_not_ours(tmp_path: Path, token: str) -> None:
    async with knocking(tmp_path) as door:
        page = await door.client.get(f"{PATH}/{token}")

    assert page.status_code == 401
    assert token == "" or token not in page.text


async def test_an_answer_that_cannot_be_kept_is_not_called_taken(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        door.way.is_away = True
        response = await door.client.post(PATH, data={"token": TOKEN, "decision": "approve"})

    assert response.status_code == 503
    assert "Nothing was decided" in response.text


async def test_without_its_key_no_link_is_valid(tmp_path: Path) -> None:
    async with knocking(tmp_path, with_keys=False) as door:
        pages = [await door.client.get(f"{PATH}/{TOKEN}"), await door.client.post(PATH, data={"token": TOKEN})]

    assert [each.status_code for each in pages] == [503, 503]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PATH, 405), ("POST", f"{PATH}/{TOKEN}", 405), ("PUT", PATH, 405), ("GET", f"{PATH}x", 404)],
)
async def test_there_is_no_other_way(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.request(method, path)).status_code == status


async def test_a_form_of_more_than_four_kibibytes_is_not_read(tmp_path: Path) -> None:
    async with knocking(tmp_path) as door:
        assert (await door.client.post(PATH, content=b"x" * 5000)).status_code == 413
