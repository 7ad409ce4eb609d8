"""A network of its own on this machine that loses packets: between us and a part, for tests and faults.

A thread leaves the machine's network for an empty one, whose loopback drops some of all packets; sockets that it makes
stay in there, whoever uses them. Nothing else notices it, and it is gone with the last of its sockets.
"""

import asyncio
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from simulators.slow_proxy import LOOPBACK, SlowProxy, Streams, slow_proxy

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET, linux/sched.h
_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS, linux/sockios.h
_UP: Final = 0x1  # IFF_UP, linux/if.h
_PATIENCE_SECONDS: Final = 10


class NoSuchNetwork(Exception):
    """A network of its own cannot be had here; the text says why."""


class LossyNetwork:
    """The empty network of one thread. `share` of its packets are lost, from 0 to 1, once it is `spoilt`."""

    def __init__(self) -> None:
        """Make nothing yet."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lossy")

    def enter(self) -> None:
        """Make the network. Raises: NoSuchNetwork."""
        self._thread.submit(_enter).result(_PATIENCE_SECONDS)

    def spoil(self, share: float) -> None:
        """Lose this share of all packets from now on; 0: none. Raises: NoSuchNetwork."""
        self._thread.submit(_spoil, share).result(_PATIENCE_SECONDS)

    def dropped(self) -> int:
        """Return how many packets were lost since it was last spoilt."""
        return self._thread.submit(_dropped).result(_PATIENCE_SECONDS)

    def listening(self) -> socket.socket:
        """Return a socket in this network that listens on a free port of its loopback."""
        return self._thread.submit(socket.create_server, (LOOPBACK, 0), backlog=100).result(_PATIENCE_SECONDS)

    async def dial(self, port: int) -> Streams:
        """Connect to a port in this network. Raises: OSError."""
        made = self._thread.submit(socket.socket, socket.AF_INET, socket.SOCK_STREAM).result(_PATIENCE_SECONDS)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(made, (LOOPBACK, port))
        except OSError:
            made.close()
            raise
        return await asyncio.open_connection(sock=made)

    def leave(self) -> None:
        """Let go of it."""
        self._thread.shutdown(wait=False)


@asynccontextmanager
async def lossy_proxy(network: LossyNetwork, upstream: int) -> AsyncIterator[SlowProxy]:
    """Yield a proxy to a port of this machine whose connections go through `network` on their way."""
    async with (
        slow_proxy(upstream, listening=network.listening()) as behind,
        slow_proxy(behind.port, dial=network.dial) as before,
    ):
        yield before


def hindrance() -> str:
    """Return why no such network can be had here; empty: it can."""
    network = LossyNetwork()
    try:
        network.enter()
        network.spoil(0.5)
    except NoSuchNetwork as error:
        return str(error)
    finally:
        network.leave()
    return ""


def _enter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK) != 0:
        raise NoSuchNetwork(f"no network of its own: {os.strerror(ctypes.get_errno())}")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", b"lo", _UP, b""))


def _spoil(share: float) -> None:
    if nft := shutil.which("nft"):
        thousandths = round(share * 1000)
        rules = "table inet lossy\ndelete table inet lossy\n"
        if thousandths:
            rule = f"numgen random mod 1000 < {thousandths} counter drop"
            rules += f"table inet lossy {{\nchain incoming {{\ntype filter hook input priority 0\n{rule}\n}}\n}}\n"
        _run([nft, "-f", "-"], rules)
    elif iptables := shutil.which("iptables"):
        _run([iptables, "-F", "INPUT"])
        if share:
            chance = ("-m", "statistic", "--mode", "random", "--probability", f"{share:.3f}")
            _run([iptables, "-A", "INPUT", *chance, "-j", "DROP"])
    else:
        raise NoSuchNetwork("there is neither nft nor iptables here")


def _dropped() -> int:
    if nft := shutil.which("nft"):
        words = _run([nft, "list", "table", "inet", "lossy"]).split()
        return int(words[words.index("packets") + 1])
    lines = _run([shutil.which("iptables") or "iptables", "-L", "INPUT", "-v", "-x", "-n"]).splitlines()
    return sum(int(line.split()[0]) for line in lines if " DROP " in line)


def _run(argv: list[str], told: str = "") -> str:
    """Run a program in the network of this thread and return what it says."""
    done = subprocess.run(  # noqa: S603 - ours
        argv, input=told, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
    )
    if done.returncode != 0:
        raise NoSuchNetwork(f"{argv[0]}: {done.stderr.strip()}")
    return done.stdout
