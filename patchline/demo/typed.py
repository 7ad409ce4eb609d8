"""Runs our own command lines inside this process, as a person would type them, and returns what they print."""

import contextlib
import io
import json
from typing import Any, Protocol

from chassis.errors import NeverWorks


class CommandLine(Protocol):
    """The `patchline` command as typer made it."""

    def main(self, args: list[str], *, prog_name: str, standalone_mode: bool) -> object:
        """Run one command line."""


class CommandFailed(NeverWorks):
    """A command line of ours ended with an error; the text is what it printed."""


def typed(patchline: CommandLine, *words: str) -> Any:
    """Run `patchline <words> --json` and return what it prints, read as JSON; `None` if it prints nothing.

    Output is caught for the whole process: nothing else may print to it meanwhile.

    Raises:
        CommandFailed: it did not end with 0.
    """
    return _read(_typed(patchline, [*words, "--json"], {0, None}))


def asked(patchline: CommandLine, *words: str) -> Any:
    """Return what a command line prints that asks a question: its exit code 1 means no, which is an answer.

    Raises:
        CommandFailed: it ended with another code than 0 or 1.
    """
    return _read(_typed(patchline, [*words, "--json"], {0, 1, None}))


def silently(patchline: CommandLine, *words: str) -> None:
    """Run a command line of whose output nothing is wanted.

    Raises:
        CommandFailed: it did not end with 0.
    """
    _typed(patchline, [*words], {0, None})


def _read(text: str) -> Any:
    return json.loads(text) if text.strip() else None


def _typed(patchline: CommandLine, words: list[str], usual: set[int | None]) -> str:
    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            patchline.main(words, prog_name="patchline", standalone_mode=False)
        except SystemExit as error:
            code = error.code
    if code not in usual:
        raise CommandFailed(f"patchline {' '.join(words)}: {err.getvalue().strip() or out.getvalue().strip()}")
    return out.getvalue()
