"""The floor of `accept`: an ASGI app that reads the body and answers as large an answer, on the same server."""

import asyncio
import os
import signal

import uvloop

from chassis.health import Receive, Scope, Send, serve

_BODY = b'{"raw_id":"00000000-0000-7000-8000-000000000000"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body and answer 202."""
    while (await receive()).get("more_body", False):
        continue
    await send({"type": "http.response.start", "status": 202, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await serve(bare, host="127.0.0.1", port=port, stopping=stopping)


if __name__ == "__main__":
    uvloop.run(main(int(os.environ["PATCHLINE_ACCEPT_PORT"])))
