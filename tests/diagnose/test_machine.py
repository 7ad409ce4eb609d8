"""Every secret of this machine is known to what searches the bundle for them, whatever file it is in."""

import json
from pathlib import Path

import pytest

from patchline.diagnose import machine, scrub
from patchline.stack import keys
from services.credentials.people.keys import Costs, make

PEM = "-----BEGIN PRIVATE KEY-----\nbm90QVJlYWxLZXk5OTk5OTk5\n-----END PRIVATE KEY-----\n"
CHEAP = Costs(operations=1, memory_bytes=8192)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a state directory as the local stack makes it, with the secrets of two directories."""
    (tmp_path / "secrets" / "directories").mkdir(parents=True)
    keys.write_missing(tmp_path / "secrets")
    (tmp_path / "secrets" / "directories" / "acme-ad").write_text("Samba-pass-1\n")
    (tmp_path / "secrets" / "directories" / "acme-google").write_text(
        json.dumps({"type": "service_account", "private_key": PEM, "nested": [{"client_secret": "GOCSPX-short"}]})
    )
    return tmp_path


@pytest.mark.parametrize("name", ["approval.key", "fingerprint.key", "sealing.key"])
def test_the_stacks_own_keys_are_known(home: Path, name: str) -> None:
    value = (home / "secrets" / name).read_text().strip()

    assert value in machine.secrets_of(home, {})


def test_the_private_half_of_the_quarantines_key_is_known_line_by_line(home: Path) -> None:
    lines = (home / "secrets" / "quarantine.private").read_text().split("\n")

    assert lines[1] in machine.secrets_of(home, {})


@pytest.mark.parametrize("secret", ["Samba-pass-1", "bm90QVJlYWxLZXk5OTk5OTk5", "GOCSPX-short"])
def test_the_secrets_of_directories_are_known_and_never_leave(home: Path, secret: str) -> None:
    found = machine.secrets_of(home, {})

    assert secret in found
    assert secret not in scrub.text(f"the directory said: {secret}!", found)


def test_a_folder_of_secrets_may_be_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "birch-okta").write_text("00abcDEF1234")

    assert "00abcDEF1234" in machine.secrets_of(tmp_path, {"PATCHLINE_DIRECTORY_SECRETS_DIR": str(folder)})


def test_an_approvers_key_is_known_by_the_setting_that_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "ada.key"
    make(file, "a long enough passphrase", CHEAP)

    found = machine.secrets_of(tmp_path, {"PATCHLINE_APPROVER_KEY": str(file)})

    assert json.loads(file.read_text())["box"] in found


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert machine.secrets_of(tmp_path, {"PATCHLINE_MAIL_PASSWORD_FILE": str(tmp_path / "none")}) == set()
