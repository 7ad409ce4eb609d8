"""Our own command lines, typed inside this process: what they print is read, and what went wrong is told."""

import sys

import pytest

from patchline.demo.typed import CommandFailed, CommandLine, asked, silently, typed


class Command:
    """A command line that prints something and ends somehow."""

    def __init__(self, out: str = "", err: str = "", code: int | None = None) -> None:
        self.seen: list[str] = []
        self._out, self._err, self._code = out, err, code

    def main(self, args: list[str], *, prog_name: str, standalone_mode: bool) -> object:
        assert (prog_name, standalone_mode) == ("patchline", False)
        self.seen += args
        sys.stdout.write(self._out)
        sys.stderr.write(self._err)
        if self._code is not None:
            raise SystemExit(self._code)
        return None


def test_what_is_printed_is_read_as_json_and_nothing_of_it_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    command = Command('[{"client": "Acme"}]', code=0)

    assert typed(command, "client", "list") == [{"client": "Acme"}]
    assert command.seen == ["client", "list", "--json"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("code", [None, 0, 1])
def test_no_is_an_answer_to_a_question(code: int | None) -> None:
    assert asked(Command('{"feasible": false}', code=code), "policy", "lint") == {"feasible": False}


def test_silence_is_no_answer_and_of_some_commands_nothing_is_wanted() -> None:
    command = Command("not json")

    silently(command, "exception", "text")

    assert command.seen == ["exception", "text"]
    assert typed(Command(), "client", "add") is None
    assert asked(Command(), "policy", "lint") is None


@pytest.mark.parametrize(
    ("run", "command"),
    [
        pytest.param(typed, Command("half", "no such client", 1), id="no is a failure where nothing is asked"),
        pytest.param(silently, Command("half", "no such client", 1), id="nor where nothing is wanted of it"),
        pytest.param(asked, Command("half", "no such client", 2), id="wrong use is no answer"),
        pytest.param(asked, Command("half", "no such client", 3), id="a part that cannot be reached is none either"),
    ],
)
def test_a_command_that_failed_says_which_and_why(run: object, command: CommandLine) -> None:
    assert callable(run)

    with pytest.raises(CommandFailed, match=r"^patchline client show.*: no such client$"):
        run(command, "client", "show")


def test_a_command_that_failed_without_a_word_on_the_error_channel_tells_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match="unreachable"):
        typed(Command("unreachable", code=3), "client", "list")
