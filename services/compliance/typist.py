"""Who types a command of compliance, and when."""

import os
import platform
import pwd
from datetime import datetime

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis import commands
from chassis.clock import moved_clock


class ClockSettings(BaseSettings):
    """By which clock a command looks: that of the processes. No part needs to be reachable for it."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    clock_offset_seconds: float = 0


def typist() -> str:
    """Return who types: the account on this machine, which is no argument, and as good as the machine's accounts are.

    What needs a proof of who agrees is an approval, not a name.
    """
    return f"operator {_account()}@{platform.node() or 'unknown'}"


def now() -> datetime:
    """Return the moment, by the same clock as the processes."""
    return moved_clock(commands.settings_of(ClockSettings).clock_offset_seconds)()


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
