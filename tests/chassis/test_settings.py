"""Settings name what is wrong, and never show a secret."""

from pathlib import Path

import pytest

from chassis.errors import WrongSetting
from chassis.settings import Settings, read, with_password


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "KAFKA", "ENVIRONMENT", "CLOCK_OFFSET_SECONDS", "DATABASE_PASSWORD_FILE"):
        monkeypatch.delenv(f"PATCHLINE_{name}", raising=False)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(WrongSetting, match="PATCHLINE_DATABASE_URL: Field required"):
        read(Settings)


def test_a_moved_clock_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", "postgresql://r@h/d")
    monkeypatch.setenv("PATCHLINE_ENVIRONMENT", "production")
    monkeypatch.setenv("PATCHLINE_CLOCK_OFFSET_SECONDS", "5")

    with pytest.raises(WrongSetting, match="PATCHLINE_CLOCK_OFFSET_SECONDS must be 0"):
        read(Settings)


def test_the_environment_wins_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("PATCHLINE_DATABASE_URL=postgresql://file@h/d\nPATCHLINE_KAFKA=file:1\n")
    monkeypatch.setenv("PATCHLINE_KAFKA", "environment:2")

    settings = read(Settings, env_files=(tmp_path / "env",))

    assert (settings.kafka, settings.dsn) == ("environment:2", "postgresql://file@h/d")


def test_a_password_comes_from_its_file_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss/word\n")
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", "postgresql://role@host:5/db")
    monkeypatch.setenv("PATCHLINE_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))

    settings = read(Settings)

    assert settings.dsn == "postgresql://role:p%40ss%2Fword@host:5/db"
    assert "p@ss" not in repr(settings)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"PATCHLINE_DATABASE_PASSWORD_FILE: .*gone"):
        with_password("postgresql://role@host/db", tmp_path / "gone")
