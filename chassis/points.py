"""Labelled points where a process can be told to die, so that what it leaves behind is tried for real.

A point costs a look at one empty name, unless the process was started with PATCHLINE_DIE_AT="<label>[:nth]".
"""

import os
import signal
from collections import Counter
from typing import Final

_armed: str = ""
_nth: int = 1
_passed: Final[Counter[str]] = Counter()


def arm(text: str) -> None:
    """Let this process kill itself at the point that `text` names, `<label>[:nth]`; an empty text disarms."""
    global _armed, _nth
    label, _, nth = text.partition(":")
    _armed, _nth = label, int(nth or "1")
    _passed.clear()


def reached(label: str) -> None:
    """Say that the process is at `label`; if that is where it is to die, it dies here, as by `kill -9`."""
    if _armed and label == _armed:
        _passed[label] += 1
        if _passed[label] == _nth:
            os.kill(os.getpid(), signal.SIGKILL)
