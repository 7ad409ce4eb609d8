"""A real Roundup tracker, and the worker on a real database with a clock that tests move."""

import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from patchline.local import place
from patchline.local import request_tracker as local_request_tracker
from patchline.local.request_tracker import Hook, RequestTracker
from patchline.local.roundup import RateLimit, Roundup
from simulators.connectwise import Sandbox
from tests.parts import Database
from tests.ticketing.desk import Desk, Room, emptied
from tests.ticketing.psa import running


def _say(line: str) -> None:
    sys.stderr.write(f"[parts] {line}\n")


@pytest.fixture(scope="session")
def roundup() -> Iterator[Roundup]:
    with place.throwaway_home() as home:
        tracker = Roundup(home / "roundup", port=0)
        tracker.start(_say)
        try:
            yield tracker
        finally:
            tracker.stop()


HOOK_SECRET = "of the hook"


@dataclass
class Hooked:
    """Whom Request Tracker tells what happens: each body with its signature."""

    url: str = ""
    told: list[tuple[bytes, str]] = field(default_factory=list)


@pytest.fixture(scope="session")
def hooked() -> Iterator[Hooked]:
    heard = Hooked()

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.told.append((body, self.headers["x-rt-signature"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hears)
    heard.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield heard
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def request_tracker(hooked: Hooked) -> Iterator[RequestTracker]:
    if not local_request_tracker.is_installed():
        pytest.skip(f"Request Tracker is not installed: apt-get install {local_request_tracker.PACKAGES}")
    with place.throwaway_home() as home:
        tracker = RequestTracker(home / "rt", port=0, hook=Hook(hooked.url, HOOK_SECRET))
        tracker.start(_say)
        try:
            yield tracker
        finally:
            tracker.stop()


@pytest.fixture(scope="session")
async def connectwise() -> AsyncIterator[Sandbox]:
    """A simulated ConnectWise PSA: whoever uses it makes it new first."""
    async with running() as sandbox:
        yield sandbox


@pytest.fixture
def limited_roundup() -> Iterator[Roundup]:
    """A tracker that allows 10 calls in 10 seconds, and says when to come back."""
    with place.throwaway_home() as home:
        tracker = Roundup(home / "roundup", port=0, rate_limit=RateLimit(calls=10, interval_seconds=10))
        tracker.start(_say)
        try:
            yield tracker
        finally:
            tracker.stop()


@pytest.fixture
def desk(roundup: Roundup) -> Iterator[Desk]:
    """The tracker as a person sees it."""
    with Desk.of(roundup) as open_desk:
        yield open_desk


@pytest.fixture
async def room(database: Database, roundup: Roundup) -> AsyncIterator[Room]:
    """Ticketing without Kafka: its handler, its worker, its tables, and the real tracker."""
    await emptied(database)
    async with Room.on(database, roundup) as made:
        yield made


@pytest.fixture
def requirement(request: pytest.FixtureRequest) -> str:
    """A subject of its own for each test: they share one tracker."""
    return f"requirement of {request.node.nodeid}"[-200:]
