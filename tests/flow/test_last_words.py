"""What is shown of a world in which a test failed."""

from pathlib import Path

from tests.flow.world import LAST_CHARACTERS, LAST_LINES, last_words


def test_the_last_lines_of_each_service_are_shown(tmp_path: Path) -> None:
    (tmp_path / "ticketing.log").write_text("".join(f"line {number}\n" for number in range(100)))
    (tmp_path / "compliance.log").write_text("x" * 1000)
    (tmp_path / "credentials.log").write_bytes(b"\xff")

    compliance, credentials, ticketing = last_words(tmp_path)

    assert compliance == ("compliance said last", "x" * LAST_CHARACTERS)
    assert credentials == ("credentials said last", "\ufffd")
    assert ticketing[1].splitlines() == [f"line {number}" for number in range(100 - LAST_LINES, 100)]


def test_a_world_that_never_began_said_nothing(tmp_path: Path) -> None:
    assert last_words(tmp_path / "logs") == []
