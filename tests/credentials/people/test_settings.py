"""How people are reached, as it is set: whole or refused, and secrets from files alone."""

import base64
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import WrongSetting
from chassis.settings import read
from services.credentials.people.parts import mail_on
from services.credentials.people.settings import PeopleSettings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read the settings with these variables."""
    monkeypatch.setenv("PATCHLINE_DATABASE_URL", "postgresql://nobody@127.0.0.1/none")

    def reading(**variables: str) -> PeopleSettings:
        for name, value in variables.items():
            monkeypatch.setenv(f"PATCHLINE_{name.upper()}", value)
        return read(PeopleSettings, env_files=())

    return reading


MAIL = {"mail_host": "smtp.msp.example", "mail_from": "patchline@msp.example"}


def test_without_a_server_nobody_is_written_to(settings: Any) -> None:
    assert mail_on(settings()) is None
    assert settings().approval_key is None


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        pytest.param({"mail_host": "smtp.msp.example"}, "PATCHLINE_MAIL_FROM is needed", id="no sender"),
        pytest.param(MAIL | {"mail_from": "a@b, c@d"}, "MAIL_FROM", id="two senders"),
        pytest.param(MAIL | {"mail_security": "none"}, "only for a server on this machine", id="in clear"),
        pytest.param({"approval_url": "http://hooks.msp.example/approvals"}, "must be https", id="links in clear"),
        pytest.param({"approval_url": "http://localhost.evil.example/a"}, "must be https", id="a name like ours"),
        pytest.param({"approval_url": "https://hooks.msp.example/a"}, "APPROVAL_KEY_FILE is needed", id="no key"),
    ],
)
def test_half_of_it_is_refused(settings: Any, variables: dict[str, str], why: str) -> None:
    with pytest.raises(WrongSetting, match=why):
        settings(**variables)


def test_the_key_of_links_is_read_from_its_file(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(base64.b64encode(b"k" * 32).decode() + "\n")
    (tmp_path / "short").write_text(base64.b64encode(b"k" * 8).decode())

    assert (
        settings(approval_url="http://127.0.0.1:1/a", approval_key_file=str(tmp_path / "key")).approval_key == b"k" * 32
    )
    for file, why in (("short", "8 bytes"), ("none", "No such file")):
        with pytest.raises(WrongSetting, match=f"PATCHLINE_APPROVAL_KEY_FILE: .*{why}"):
            assert settings(approval_key_file=str(tmp_path / file)).approval_key


def test_the_password_is_read_from_its_file_and_never_shown(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("s3cret\n")

    found = settings(**MAIL, mail_user="patchline", mail_password_file=str(tmp_path / "mail"))

    assert found.mail_password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found)
    assert mail_on(found) is not None
    with pytest.raises(WrongSetting, match="PATCHLINE_MAIL_PASSWORD_FILE"):
        mail_on(settings(mail_password_file=str(tmp_path / "none")))
