"""`patchline source test`, as typed: offline without any part, and through the real door."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import Result

from services.gateway.registry import examples
from tests.gateway.test_accept_process import accepting, is_ready, settings  # noqa: F401 - a fixture
from tests.gateway.typed import rows, source


@pytest.mark.parametrize("vendor", examples.vendors())
def test_the_examples_of_each_vendor_are_as_expected_and_reach_nothing(
    vendor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", "postgresql://nobody@127.0.0.1:1/none")

    shown = rows(source("test", vendor, "--json"))

    assert len(shown) == len(examples.examples_of(vendor))
    assert all(row["as_expected"] for row in shown)
    assert {row["confirmed_by"] for row in shown} <= {
        "our own format",
        "captured body",
        "vendor schema",
        "documentation only",
    }


def test_people_see_what_each_became_and_how_that_is_confirmed() -> None:
    result = source("test", "ninjaone")

    assert "patch.install_failed.v1" in result.stdout
    assert "confirmed by vendor schema" in result.stdout
    assert "Unconfirmed: where a patch stands" in result.stdout


def test_machines_get_the_events_themselves() -> None:
    shown = rows(source("test", "patchline", "--json"))

    [failed] = [row for row in shown if row["becomes"] == ["patch.install_failed.v1"]]
    assert failed["events"][0]["data"]["patch"]["kb"] == "5050009"


def test_captured_bodies_are_tried_and_judged_by_nobody(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    about = {"received": "2026-11-10T18:05:00+00:00", "raw_id": "r", "channel": "webhook"}
    body = json.dumps({"type": "device.online", "data": {"device": "a"}})
    file.write_text("".join(json.dumps(about | {"text": text}) + "\n" for text in (body, "not JSON")))

    shown = rows(source("test", "patchline", "--captured", str(file), "--json"))

    assert [row["becomes"][0].split(":")[0] for row in shown] == ["device.online.v1", "problem"]
    assert [row["as_expected"] for row in shown] == [None, None]


def test_what_a_vendor_wrote_is_text_also_where_it_looks_like_markup(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    about = {"received": "2026-11-10T18:05:00+00:00", "raw_id": "r", "channel": "webhook"}
    bodies = [{"type": "device.online", "data": {"device": "[/front] desk"}}, {"type": "[/odd]", "data": {}}]
    file.write_text("".join(json.dumps(about | {"text": json.dumps(body)}) + "\n" for body in bodies))

    result = source("test", "patchline", "--captured", str(file))

    assert result.exit_code == 0
    assert "[/front] desk" in result.stdout
    assert "unknown: [/odd]" in result.stdout


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("nobody-knows",), (1, "there are some of: connectwise")),
        (("patchline", "--captured", "/not/there"), (2, "No such file")),
        (("patchline", "--send"), (2, "--secret-file")),
        (("Patch/line",), (2, "lower-case")),
    ],
    ids=["no examples", "no file", "no secret", "no name"],
)
def test_wrong_use_is_said(words: tuple[str, ...], wrong: tuple[int, str]) -> None:
    result = source("test", *words)

    assert result.exit_code == wrong[0]
    assert wrong[1] in result.stderr


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(source, *words)


@pytest.mark.usefixtures("command_line")
async def test_sent_examples_are_accepted_and_can_be_followed(
    settings: dict[str, str],  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret, other = tmp_path / "secret", tmp_path / "other"
    other.write_text("whsec_" + "QUJD" * 8)
    monkeypatch.setenv("PATCHLINE_GATEWAY_URL", f"http://127.0.0.1:{settings['PATCHLINE_ACCEPT_PORT']}")
    await typed("add", "patchline", "tried", "--secret-file", str(secret))

    async with accepting(settings, tmp_path) as process:
        await is_ready(process)
        sent = rows(await typed("test", "patchline", "tried", "--send", "--secret-file", str(secret), "--json"))
        forged = await typed("test", "patchline", "tried", "--send", "--secret-file", str(other), "--json")
    away = await typed("test", "patchline", "tried", "--send", "--secret-file", str(secret))
    nowhere = await typed("test", "patchline", "nowhere", "--send", "--secret-file", str(secret))

    assert {row["status"] for row in sent} == {202}
    assert len({row["raw_id"] for row in sent}) == len(sent)
    assert (forged.exit_code, {row["status"] for row in json.loads(forged.stdout)}) == (1, {401})
    assert (away.exit_code, nowhere.exit_code) == (3, 1)
