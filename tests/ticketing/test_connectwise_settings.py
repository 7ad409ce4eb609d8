"""The settings of ConnectWise reach the adapter, and a wrong one says which it is."""

from pathlib import Path

import pytest

from chassis.errors import WrongSetting
from chassis.settings import read
from services.ticketing.adapters.choice import connected
from services.ticketing.adapters.connectwise import ConnectWise, Words
from services.ticketing.settings import TicketingSettings


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    (tmp_path / "private").write_text("of the member\n")
    (tmp_path / "public").write_text("known\n")
    for name, value in {
        "DATABASE_URL": "postgresql://ticketing_writer@127.0.0.1/x",
        "TRACKER_KIND": "connectwise",
        "TRACKER_URL": "https://eu.myconnectwise.net",
        "TRACKER_USER": "patchlineAPI",
        "TRACKER_PASSWORD_FILE": str(tmp_path / "private"),
        "CONNECTWISE_COMPANY": "msp",
        "CONNECTWISE_PUBLIC_KEY_FILE": str(tmp_path / "public"),
        "CONNECTWISE_CLIENT_ID": "0b0d7b0e-0000-4000-8000-000000000000",
        "CONNECTWISE_BOARD": "Patching",
    }.items():
        monkeypatch.setenv(f"PATCHLINE_{name}", value)
    return monkeypatch


async def made() -> ConnectWise:
    tracker = connected(read(TicketingSettings))
    await tracker.close()
    assert isinstance(tracker, ConnectWise)
    return tracker


@pytest.mark.usefixtures("environ")
async def test_what_must_be_set_is_enough() -> None:
    tracker = await made()

    login = tracker._wire.login
    assert (login.company, login.public_key, login.member) == ("msp", "known", "patchlineAPI")
    assert login.private_key.get_secret_value() == "of the member"
    assert "of the member" not in repr(login)
    assert tracker._wire._outbound.host == "api-eu.myconnectwise.net"
    assert tracker._words == Words(board="Patching")


async def test_what_may_be_set_is_used(environ: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NEW_STATUS": "Fresh",
        "RESOLVED_STATUS": "Done",
        "REOPENED_STATUS": "Again",
        "PRIORITIES": '{"critical": "P1"}',
        "NOTES": "discussion",
        "ANNOUNCE": "true",
        "SKIP_CALLBACKS": "true",
    }.items():
        environ.setenv(f"PATCHLINE_CONNECTWISE_{name}", value)

    assert (await made())._words == Words(
        board="Patching",
        new_status="Fresh",
        resolved_status="Done",
        reopened_status="Again",
        notes="discussion",
        is_announced=True,
        skips_callbacks=True,
        priority_by_severity={"critical": "P1"},
    )


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        pytest.param("CONNECTWISE_BOARD", "", "board", id="no board"),
        pytest.param("CONNECTWISE_COMPANY", "msp+x", "company", id="a company with a plus"),
        pytest.param("CONNECTWISE_CLIENT_ID", "x y", "client_id", id="no client id"),
        pytest.param("CONNECTWISE_VERSION", "newest", "version", id="no version"),
        pytest.param("CONNECTWISE_PUBLIC_KEY_FILE", "/nowhere", "PUBLIC_KEY_FILE", id="no file of the public key"),
        pytest.param("TRACKER_PASSWORD_FILE", "/nowhere", "PASSWORD_FILE", id="no file of the private key"),
        pytest.param("TRACKER_URL", "http://psa.example", "https", id="plain http"),
    ],
)
async def test_a_wrong_setting_is_named(environ: pytest.MonkeyPatch, name: str, value: str, named: str) -> None:
    environ.setenv(f"PATCHLINE_{name}", value)

    with pytest.raises(WrongSetting, match=f"(?i){named}"):
        await made()
