"""Loopback ports: is one free, and which one is."""

import socket
from typing import Final

from patchline.local import PartUnavailable

LOOPBACK: Final = "127.0.0.1"


class PortTaken(PartUnavailable):
    """Another program listens where a part should."""


def claimed(port: int, *, setting: str) -> int:
    """Return `port` if nothing listens there, or any free port if it is 0.

    Raises: PortTaken, naming the `setting` that chooses another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that still close do not count
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            message = f"port {port} is taken by another program; set {setting} or stop it"
            raise PortTaken(message) from error
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Return whether something accepts connections on `port`."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
