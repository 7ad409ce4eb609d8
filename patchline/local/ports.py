"""Loopback ports: is one free, and which one is."""

import secrets
import socket
import threading
from typing import Final

from patchline.local import PartUnavailable

LOOPBACK: Final = "127.0.0.1"


class PortTaken(PartUnavailable):
    """Another program listens where a part should."""


_FREE: Final = range(20_000, 32_768)
"""Below what is given to outgoing connections (Linux: from 32,768; RFC 6335: from 49,152), of which one could have it
before its part does."""

_TRIES: Final = 100
_GIVEN: Final[set[int]] = set()
"""Parts of one process start side by side, and some listen long after they have asked."""

_GIVING: Final = threading.Lock()


def claimed(port: int, *, setting: str) -> int:
    """Return `port` if nothing listens there, or if it is 0 a free one that nobody in this process was given before.

    Raises: PortTaken, naming the `setting` that chooses another port.
    """
    return claimed_range(port, 1, setting=setting)


def claimed_range(first: int, count: int, *, setting: str) -> int:
    """Return the first of `count` ports in a row, as `claimed` does for one: `first` itself, or any if it is 0.

    Raises: PortTaken, naming the `setting` that chooses another port.
    """
    if first:
        for port in range(first, first + count):
            _bound(port, setting)
        return first
    for _ in range(_TRIES):
        chosen = range(start := secrets.choice(_FREE[: 1 - count or None]), start + count)
        with _GIVING:
            if not _GIVEN.isdisjoint(chosen):
                continue
            _GIVEN.update(chosen)
        try:
            for port in chosen:
                _bound(port, setting)
        except PortTaken:
            continue
        return chosen.start
    free = f"from {_FREE.start} to {_FREE.stop - 1} no {count} in a row are free"
    raise PortTaken(f"of the ports {free}; set {setting} or stop other programs")


def _bound(port: int, setting: str) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that still close do not count
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            message = f"port {port} is taken by another program; set {setting} or stop it"
            raise PortTaken(message) from error
    return port


def is_open(port: int) -> bool:
    """Return whether something accepts connections on `port`."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
