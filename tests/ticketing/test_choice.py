"""Which ticket system a process has, by its settings alone."""

from pathlib import Path

import pytest

from chassis.errors import WrongSetting
from chassis.settings import read
from services.ticketing.adapters.choice import connected
from services.ticketing.adapters.request_tracker import RequestTracker
from services.ticketing.adapters.roundup import Roundup
from services.ticketing.settings import TicketingSettings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TicketingSettings:
    """Settings that fit every kind, without the kind's own."""
    secret = tmp_path / "tracker"
    secret.write_text("1-14-token\n")
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", "postgresql://ticketing_writer@127.0.0.1/patchline")
    monkeypatch.setenv("PATCHLINE_TRACKER_URL", "https://desk.example/")
    monkeypatch.setenv("PATCHLINE_TRACKER_PASSWORD_FILE", str(secret))
    return read(TicketingSettings, env_files=())


async def test_roundup_is_what_nothing_else_is_said_for(settings: TicketingSettings) -> None:
    tracker = connected(settings)
    await tracker.close()

    assert isinstance(tracker, Roundup)


class TestRequestTracker:
    @pytest.fixture
    def rt(self, settings: TicketingSettings, monkeypatch: pytest.MonkeyPatch) -> TicketingSettings:
        monkeypatch.setenv("PATCHLINE_RT_QUEUE", "Patching")
        return settings.model_copy(update={"tracker_kind": "rt"})

    async def test_it_has_its_own_names(self, rt: TicketingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATCHLINE_RT_CLOSED_STATUSES", "fixed, resolved")
        monkeypatch.setenv("PATCHLINE_RT_RESOLVED_STATUS", "fixed")

        tracker = connected(rt)
        await tracker.close()

        assert isinstance(tracker, RequestTracker)
        assert tracker._names.closed_statuses == {"fixed", "resolved"}

    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            pytest.param("QUEUE", "", "PATCHLINE_RT_QUEUE", id="no queue"),
            pytest.param("KEY_FIELD", "a} OR id > 0", "PATCHLINE_RT_KEY_FIELD", id="a field that is a command"),
            pytest.param("NOTES", "mail", "PATCHLINE_RT_NOTES", id="another way to say things"),
            pytest.param("RESOLVED_STATUS", "open", "PATCHLINE_RT_CLOSED_STATUSES", id="resolved is not closed"),
            pytest.param("REOPENED_STATUS", "resolved", "PATCHLINE_RT_CLOSED_STATUSES", id="reopened is closed"),
        ],
    )
    def test_what_is_wrong_is_named_at_the_start(
        self, rt: TicketingSettings, monkeypatch: pytest.MonkeyPatch, *, name: str, value: str, named: str
    ) -> None:
        monkeypatch.setenv(f"PATCHLINE_RT_{name}", value)

        with pytest.raises(WrongSetting, match=named):
            connected(rt)

    def test_a_queue_must_be_named(self, rt: TicketingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PATCHLINE_RT_QUEUE")

        with pytest.raises(WrongSetting, match="PATCHLINE_RT_QUEUE"):
            connected(rt)
