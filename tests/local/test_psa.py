"""Which ticket system is started, and what is said where it cannot be."""

from pathlib import Path

import pytest

from patchline.local import PartUnavailable, psa, request_tracker
from patchline.local.parts import LocalParts, PartSettings
from patchline.local.psa import Psa


@pytest.mark.parametrize("kind", [Psa.ROUNDUP, Psa.CONNECTWISE])
def test_the_kind_and_its_port_decide_what_is_started(tmp_path: Path, kind: Psa) -> None:
    environ = {"PATCHLINE_HOME": str(tmp_path), psa.PORT[kind][0]: "4321", "PATCHLINE_KAFKA": "k", "DATABASE_URL": "d"}

    parts = LocalParts(PartSettings.from_environment(environ, kind=kind))

    assert parts.desk is not None
    assert parts.parts == [parts.desk, parts.mail]
    assert parts.desk.url.rstrip("/").endswith(":4321")
    assert (parts.roundup is parts.desk) == (kind is Psa.ROUNDUP)


def test_one_that_is_not_installed_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_tracker, "_SERVER", tmp_path / "no-server")

    with pytest.raises(PartUnavailable, match=r"^Request Tracker is not installed; run `apt-get install .*rt5-db"):
        psa.ticket_system(Psa.RT, tmp_path, port=0)


def test_every_kind_has_a_name_and_a_port_of_its_own() -> None:
    assert psa.TITLE.keys() == psa.PORT.keys() == set(Psa)
    assert len({port for _, port in psa.PORT.values()}) == len(Psa)
    assert len({setting for setting, _ in psa.PORT.values()}) == len(Psa)
