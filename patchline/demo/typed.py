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
    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            patchline.main([*words, "--json"], prog_name="patchline", standalone_mode=False)
        except SystemExit as error:
            code = error.code
    if code not in {0, None}:
        raise CommandFailed(f"patchline {' '.join(words)}: {err.getvalue().strip() or out.getvalue().strip()}")
    return json.loads(out.getvalue()) if out.getvalue().strip() else None
