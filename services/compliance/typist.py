"""Who types a command of compliance, and when."""

import os
import platform
import pwd
from datetime import datetime

from chassis import commands
from chassis.clock import moved_clock


def typist() -> str:
    """Return who types: the account on this machine, which is no argument, and as good as the machine's accounts are.

    What needs a proof of who agrees is an approval, not a name.
    """
    return f"operator {_account()}@{platform.node() or 'unknown'}"


def now() -> datetime:
    """Return the moment, by the same clock as the processes."""
    return moved_clock(commands.command_settings().clock_offset_seconds)()


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
