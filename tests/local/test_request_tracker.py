"""A real Request Tracker: made whole, without a trace outside its own directory, and its data survive a crash."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from patchline.local import PartUnavailable, place, request_tracker
from patchline.local.request_tracker import RequestTracker

SYSTEM = [Path("/var/lib/request-tracker5"), Path("/var/cache/request-tracker5"), Path("/etc/request-tracker5")]


def on_the_system() -> dict[Path, tuple[int, float]]:
    files = [file for folder in SYSTEM for file in folder.rglob("*")]
    return {file: (file.stat().st_size, file.stat().st_mtime) for file in files}


def api(tracker: RequestTracker) -> httpx.Client:
    headers = {"Authorization": f"token {tracker.technician_token}"}
    return httpx.Client(base_url=f"{tracker.url}REST/2.0/", headers=headers, trust_env=False, timeout=20)


@pytest.fixture(scope="module")
def before() -> dict[Path, tuple[int, float]]:
    return on_the_system()


@pytest.fixture(scope="module")
def tracker(before: dict[Path, tuple[int, float]]) -> Iterator[RequestTracker]:  # noqa: ARG001 - looked at first
    if not request_tracker.is_installed():
        pytest.skip(f"Request Tracker is not installed: apt-get install {request_tracker.PACKAGES}")
    with place.throwaway_home() as home:
        made = RequestTracker(home / "rt", port=0, workers=1)
        made.start(print)
        try:
            yield made
        finally:
            made.stop()


def test_without_the_packages_it_says_which_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_tracker, "_SERVER", tmp_path / "none")

    with pytest.raises(PartUnavailable, match="apt-get install request-tracker5 rt5-db-sqlite rt5-standalone"):
        RequestTracker(tmp_path / "rt", port=0).start(print)

    assert list(tmp_path.iterdir()) == []


def test_the_page_is_for_people_and_the_usual_password_opens_nothing(tracker: RequestTracker) -> None:
    with httpx.Client(base_url=tracker.url, trust_env=False, timeout=20) as client:
        usual = client.get("REST/2.0/queues/all", auth=("root", "password"))
        person = client.get("REST/2.0/queues/all", auth=("technician", tracker.technician_password))
        page = client.get("", follow_redirects=True)

    assert (usual.status_code, person.status_code, page.status_code) == (401, 200, 200)
    assert "Login" in page.text


def test_tickets_survive_a_crash_and_no_process_does(tracker: RequestTracker) -> None:
    with api(tracker) as client:
        number = client.post("ticket", json={"Queue": "Patching", "Subject": "kept"}).json()["id"]
    assert tracker.child is not None
    first = tracker.child.pid

    tracker.kill()
    workers = [each for each in Path("/proc").iterdir() if each.name.isdigit() and _session_of(each) == first]
    tracker.start(print)

    assert workers == []
    with api(tracker) as client:
        assert client.get(f"ticket/{number}").json()["Subject"] == "kept"


def test_nothing_is_written_outside_its_own_directory(
    tracker: RequestTracker, before: dict[Path, tuple[int, float]]
) -> None:
    with api(tracker) as client:
        made = client.post("ticket", json={"Queue": "Patching", "Subject": "x", "Requestor": "owner@client.invalid"})
        number = made.json()["id"]
        said = {"Content": "to the owner", "ContentType": "text/plain"}
        assert client.post(f"ticket/{number}/correspond", json=said).status_code == 201

    assert on_the_system() == before
    assert "to the owner" in tracker.mail.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="runs as whoever we are, unless we are root")
def test_it_does_not_run_as_root(tracker: RequestTracker) -> None:
    assert tracker.child is not None
    assert Path(f"/proc/{tracker.child.pid}").stat().st_uid == place.nobody().uid


def _session_of(process: Path) -> int:
    """Return the session of a process that is no zombie; 0 for any other."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[3])
