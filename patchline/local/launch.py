"""Become another program that ends when our parent ends: `launch.py PARENT SIGNAL UID GID PROGRAM ARGUMENTS...`.

Runs between fork and exec of every child, as a program of its own because code between the two is not safe in a
process that has threads. Imports the standard library only; it is started by path, without site packages.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int, signal_number: int) -> None:
    """Ask Linux to signal us when the parent ends; elsewhere nothing happens and `stop` alone ends the child."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request was in force
        sys.exit(1)


def _become(uid: int, gid: int) -> None:
    if uid < 0:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    parent, signal_number, uid, gid = (int(argument) for argument in sys.argv[1:5])
    _become(uid, gid)
    _die_with_parent(parent, signal_number)  # after the change of user, which would cancel it
    os.execvp(sys.argv[5], sys.argv[5:])  # noqa: S606 - the very purpose: no shell
