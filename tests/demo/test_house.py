"""The demo's own stack: alone in its place, on ports that nobody has."""

import socket
from pathlib import Path

import pytest

from patchline.demo.house import House, free_port
from patchline.local import PartUnavailable


def test_two_demos_do_not_tear_each_other_down(tmp_path: Path) -> None:
    first, second = (House(tmp_path / "demo", clock_offset_seconds=0) for _ in range(2))
    first.hold()

    with pytest.raises(PartUnavailable, match=r"another demo runs in .*demo; wait for it, or set PATCHLINE_HOME"):
        second.open(lambda _line: None)


def test_a_demo_that_ended_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    first, second = (House(tmp_path / "demo", clock_offset_seconds=0) for _ in range(2))
    first.hold()

    first.close()

    second.hold()


def test_the_usual_port_is_taken_if_nobody_has_it_else_any() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        assert free_port(port, 1) == 0
        assert free_port(port - 1, 2) == 0
    assert free_port(port, 1) == port


def test_what_command_lines_need_is_read_from_the_stacks_own_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("PATCHLINE_KAFKA=127.0.0.1:1\nPATCHLINE_OPERATOR_URL=postgresql://a@b/c?d=e\n")

    settings = House(tmp_path, clock_offset_seconds=0).settings()

    assert settings == {
        "PATCHLINE_KAFKA": "127.0.0.1:1",
        "PATCHLINE_OPERATOR_URL": "postgresql://a@b/c?d=e",
    }
