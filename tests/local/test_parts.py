"""All parts together, what `patchline up` has running, and one child."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from patchline.local import PartUnavailable, runs
from patchline.local.child import Child, ChildFailed
from patchline.local.kafka import Kafka
from patchline.local.parts import LocalParts, PartSettings
from patchline.local.postgres import Postgres


class TestAllParts:
    def test_start_together_and_say_so(self, parts: LocalParts, said: list[str]) -> None:
        assert [entry.name for entry in parts.running()] == ["kafka", "postgres", "roundup"]
        assert all(entry.is_alive for entry in parts.running())
        assert {f"{name}: ready" for name in ("kafka", "postgres", "roundup")} <= {
            line.split(" on ")[0] for line in said
        }

    def test_urls_that_are_shown_have_no_password(self, parts: LocalParts, postgres: Postgres) -> None:
        password = (postgres.place / "password").read_text()

        assert password in parts.database_url
        assert all(password not in entry.url for entry in parts.running())

    def test_another_shell_finds_the_same_database(
        self, home: Path, cache: Path, parts: LocalParts, postgres: Postgres
    ) -> None:
        port = int(postgres.url.rpartition(":")[2].split("/")[0])

        other = LocalParts(PartSettings(home=home, cache=cache, postgres_port=port))

        assert other.database_url == parts.database_url

    def test_one_that_is_elsewhere_is_not_started(self, tmp_path: Path) -> None:
        elsewhere = {"PATCHLINE_KAFKA": "k:9092", "DATABASE_URL": "postgresql://d", "PATCHLINE_HOME": str(tmp_path)}

        parts = LocalParts(PartSettings.from_environment(elsewhere))

        assert (parts.kafka, parts.postgres) == (None, None)
        assert (parts.kafka_url, parts.database_url) == ("k:9092", "postgresql://d")

    def test_one_that_cannot_start_takes_the_others_with_it(
        self, home: Path, cache: Path, parts: LocalParts, kafka: Kafka
    ) -> None:
        taken = int(kafka.url.partition(":")[2])
        settings = PartSettings(home=home / "second", cache=cache, kafka_port=taken, postgres_port=0, psa=None)
        second = LocalParts(settings)

        with pytest.raises(
            PartUnavailable, match=rf"^port {taken} is taken by another program; set PATCHLINE_KAFKA_PORT"
        ):
            second.start(print)

        assert second.running() == []
        assert len(parts.running()) == 3

    def test_a_port_that_is_none_is_one_clear_line(self) -> None:
        with pytest.raises(PartUnavailable, match=r"^PATCHLINE_KAFKA_PORT is 'kafka', which is no port number"):
            PartSettings.from_environment({"PATCHLINE_KAFKA_PORT": "kafka"})


class TestWhatIsUp:
    def test_is_seen_and_stopped_from_another_shell(self, tmp_path: Path) -> None:
        code = (
            "import pathlib, signal, sys, time\n"
            "from patchline.local import runs\n"
            "from patchline.local.child import Child, Command\n"
            f"home = pathlib.Path({str(tmp_path)!r})\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
            "child = Child(Command(name='part', argv=('sleep', '60'), log_path=home / 'part.log'))\n"
            "child.start()\n"
            "with runs.supervised(home):\n"
            "    runs.record(home, [runs.running('part', child.pid, url='nowhere')])\n"
            "    time.sleep(60)\n"
        )
        up = subprocess.Popen([sys.executable, "-c", code])
        wait_until(lambda: len(runs.recorded(tmp_path)) == 2)
        seen = runs.recorded(tmp_path)

        with pytest.raises(runs.AlreadyUp, match="already up"), runs.supervised(tmp_path):
            pass
        stopped = runs.down(tmp_path, print)

        assert [(entry.name, entry.url) for entry in seen] == [("patchline", ""), ("part", "nowhere")]
        assert stopped
        assert up.wait(10) == 0
        assert not any(entry.is_alive for entry in seen)
        assert runs.recorded(tmp_path) == []

    def test_a_process_that_only_has_the_same_id_is_left_alone(
        self, tmp_path: Path, child_of: Callable[[str], Child]
    ) -> None:
        stranger = child_of("import time; time.sleep(60)")
        stranger.start()
        assert stranger.pid is not None
        entries = [runs.Running(name, stranger.pid, "another boot/12345", "") for name in ("patchline", "kafka")]
        (tmp_path / "up.json").write_text(json.dumps([asdict(entry) for entry in entries]))

        stopped = runs.down(tmp_path, print)

        assert not stopped
        assert stranger.is_running


class TestChild:
    def test_that_ends_early_shows_the_end_of_its_log(self, child_of: Callable[[str], Child]) -> None:
        child = child_of("print('no such luck'); raise SystemExit(3)")
        child.start()

        with pytest.raises(ChildFailed, match=r"sleeper ended with code 3(.|\n)*no such luck"):
            child.wait_until(lambda: False, timeout_seconds=10)

    def test_that_is_not_ready_in_time_is_stopped(self, child_of: Callable[[str], Child]) -> None:
        child = child_of("import time; time.sleep(60)")
        child.start()

        with pytest.raises(ChildFailed, match=r"was not ready after 0\.1 s"):
            child.wait_until(lambda: False, timeout_seconds=0.1)

        assert not child.is_running

    def test_that_ignores_the_request_is_killed(self, child_of: Callable[[str], Child]) -> None:
        child = child_of("import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)")
        child.start()
        child.wait_until(lambda: "deaf" in child.log_since_start(), timeout_seconds=10)

        child.stop(timeout_seconds=0.2)

        assert child.exit_code == -signal.SIGKILL

    def test_outlives_the_thread_that_started_it(self, child_of: Callable[[str], Child]) -> None:
        child = child_of("import time; time.sleep(60)")
        thread = threading.Thread(target=child.start)
        thread.start()
        thread.join()

        time.sleep(0.2)

        assert child.is_running

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent ended")
    def test_does_not_outlive_its_parent(self, tmp_path: Path) -> None:
        code = (
            "import os, pathlib, signal, sys\n"
            "from patchline.local.child import Child, Command\n"
            f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
            "child = Child(Command(name='orphan', argv=('sleep', '60'), log_path=log))\n"
            "child.start()\n"
            "child.wait_until(lambda: b'sleep' in pathlib.Path(f'/proc/{child.pid}/cmdline').read_bytes()[:5],"
            " timeout_seconds=10)\n"
            "print(child.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )

        parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

        assert gone(int(parent.stdout))


def gone(pid: int) -> bool:
    wait_until(lambda: runs.start_mark(pid) is None)
    return True


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
