"""`/live` from progress, `/ready` from dependencies, `/metrics` for Prometheus: on a port of their own."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STUCK_AFTER_SECONDS: Final = 60


class Progress:
    """Whether the loops of a process still turn: each beats under its own name."""

    def __init__(self) -> None:
        """Start with no loop: a process without loops is alive."""
        self._beats: dict[str, float] = {}
        self.ready: dict[str, bool] = {}

    def beat(self, loop: str) -> None:
        """Note that `loop` turned."""
        self._beats[loop] = time.monotonic()

    def stuck(self) -> list[str]:
        """Return the loops that have not turned for too long."""
        now = time.monotonic()
        return [loop for loop, at in self._beats.items() if now - at > STUCK_AFTER_SECONDS]

    def not_ready(self) -> list[str]:
        """Return the parts that are not ready."""
        return [part for part, is_ready in self.ready.items() if not is_ready]


async def answer(send: Send, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
    """Send one whole HTTP answer."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class HealthServer:
    """Serves the three pages until told to stop."""

    name = "health"

    def __init__(self, progress: Progress, host: str, port: int) -> None:
        """Serve on `host`:`port`; port 0 means: do not serve."""
        self._progress = progress
        self._host = host
        self._port = port

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set."""
        if self._port == 0:
            await stopping.wait()
            return
        await serve(self._app, host=self._host, port=self._port, stopping=stopping)

    async def _app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        match scope.get("path"):
            case "/live":
                await _answer_list(send, "stuck", self._progress.stuck())
            case "/ready":
                await _answer_list(send, "not ready", self._progress.not_ready())
            case "/metrics":
                await answer(send, 200, generate_latest(), CONTENT_TYPE_LATEST)
            case _:
                await answer(send, 404, b"try /live, /ready or /metrics\n")


async def _answer_list(send: Send, what: str, wrong: list[str]) -> None:
    if wrong:
        await answer(send, 503, f"{what}: {', '.join(wrong)}\n".encode())
    else:
        await answer(send, 200, b"ok\n")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has one of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Listen; a port that is taken is an error of ours, not the end of the process."""
        try:
            await super().startup(sockets)
        except SystemExit as error:
            where = f"{self.config.host}:{self.config.port}"
            raise OSError(f"cannot listen on {where}: the port is taken or not allowed") from error


async def serve(
    app: Any, *, host: str, port: int, stopping: asyncio.Event, protocol: type[asyncio.Protocol] = HttpToolsProtocol
) -> None:
    """Serve an ASGI app until `stopping`, then finish the requests under way.

    Raises:
        OSError: the port is taken.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        interface="asgi3",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        http=protocol,
        ws="none",
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        waiting = tasks.create_task(stopping.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        waiting.cancel()
