"""A real domain controller and a real slapd: secrets for us alone, nothing lost by a restart, no rights to spare."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchline.local import PartUnavailable, place, samba, slapd
from patchline.local.samba import Samba
from patchline.local.slapd import PEOPLE, Slapd
from tests.credentials.real_directories import SlapdAdmin


@pytest.fixture
def home() -> Iterator[Path]:
    with place.throwaway_home() as home:
        yield home


@pytest.mark.parametrize(("module", "part"), [(samba, Samba), (slapd, Slapd)], ids=["domain controller", "openldap"])
def test_without_the_packages_it_says_which_to_install(
    module: object, part: type[Samba | Slapd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SERVER", tmp_path / "none")

    with pytest.raises(PartUnavailable, match="apt-get install --no-install-recommends s"):
        part(tmp_path / "part").start(print)

    assert list(tmp_path.iterdir()) == []


def test_the_domains_passwords_are_in_files_of_ours_and_nowhere_else(domain: Samba) -> None:
    folder = domain.database.parent
    secrets = {domain.administrator.password: "administrator", domain.connector.password: "svc-patchline"}

    for secret, name in secrets.items():
        holding = [file for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
        assert holding == [folder / f"{name}.password"]
        assert holding[0].stat().st_mode & 0o777 == 0o600


def test_a_directory_keeps_its_entries_over_a_restart_and_runs_without_our_rights(home: Path) -> None:
    if reason := slapd.why_not():
        pytest.skip(reason)
    local = Slapd(home / "slapd")
    local.start(print)
    with SlapdAdmin.of(local) as admin:
        admin.person("alice")
        admin.made.clear()
    assert local.child
    status = Path(f"/proc/{local.child.pid}/status").read_text()
    local.stop()

    local.start(print)

    with SlapdAdmin.of(local) as admin:
        assert admin.binds("alice")
        assert admin.read(f"uid=alice,{PEOPLE}", "uid")["uid"] == [b"alice"]
    local.stop()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids
