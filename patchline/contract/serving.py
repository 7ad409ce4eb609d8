"""Shows the page on this machine: a small server on a loopback port, in a thread of whoever asks for it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from patchline.contract import page
from patchline.local import ports

PORT: Final = 18097


class _Quiet(SimpleHTTPRequestHandler):
    """Serves one folder and tells nobody."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: what is read here is no news."""


@contextmanager
def served(port: int) -> Iterator[str]:
    """Serve the page on loopback for as long as the block lasts, and yield its address. Port 0 takes a free one.

    Raises:
        PortTaken: another program listens there.
    """
    free = ports.claimed(port, setting="PATCHLINE_CONTRACT_PORT")
    with tempfile.TemporaryDirectory(prefix="patchline-contract-") as folder:
        page.write(Path(folder))
        server = ThreadingHTTPServer((ports.LOOPBACK, free), partial(_Quiet, directory=folder))
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, name="contract page", daemon=True)
        thread.start()
        try:
            yield f"http://{ports.LOOPBACK}:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
