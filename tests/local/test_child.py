"""Programs that do one thing and exit: a good end is one, whenever anybody looks."""

import sys
from pathlib import Path

import pytest

from patchline.local.child import Child, ChildFailed, Command


def child(folder: Path, program: str) -> Child:
    return Child(Command(name="one", argv=(sys.executable, "-c", program), log_path=folder / "one.log"))


def test_a_good_end_between_two_looks_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = child(tmp_path, "")

    def ends_right_after(self: Child) -> bool:
        """Answer that it runs, as it did when somebody looked, and let it end before the next look."""
        if self._popen is None or self._popen.returncode is not None:
            return False
        self._popen.wait()
        return True

    monkeypatch.setattr(Child, "is_running", property(ends_right_after))

    ran.finish(timeout_seconds=30)

    assert ran.exit_code == 0


def test_a_bad_end_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match=r"(?s)one ended with code 3.*no such thing"):
        child(tmp_path, "import sys; print('no such thing'); sys.exit(3)").finish(timeout_seconds=30)


def test_what_does_not_end_is_stopped(tmp_path: Path) -> None:
    stuck = child(tmp_path, "import time; time.sleep(600)")

    with pytest.raises(ChildFailed, match=r"one did not end in 0\.5 s"):
        stuck.finish(timeout_seconds=0.5)

    assert not stuck.is_running
