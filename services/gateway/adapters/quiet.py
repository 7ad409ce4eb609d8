"""Calls of feeds' APIs whose answers are quoted nowhere: an error keeps the status and the vendor's code, no words.

What a feed answers can hold what was exposed, and what a failed poll says is logged and kept beside its source.
"""

import re
from collections.abc import Awaitable
from typing import Final

import httpx

from chassis.http import BreakerOpen, Refused, Unavailable

_CODE: Final = re.compile(r'"(?:code|error)"\s*:\s*"([A-Za-z_]{1,60})"')
_LOGIN_CODE: Final = re.compile(r"AADSTS[0-9]{1,9}")


async def quiet(call: Awaitable[httpx.Response]) -> httpx.Response:
    """Return the answer to a call.

    Raises:
        Refused, Unavailable: without the words of the answer.
    """
    try:
        return await call
    except Refused as error:
        raise Refused(error.status, _code(str(error)), retry_after_seconds=error.retry_after_seconds) from None
    except BreakerOpen:
        raise
    except Unavailable as error:
        said = ":".join(str(error).split(":")[:2])  # the host, and the status or the kind of the fault
        raise Unavailable(said, retry_after_seconds=error.retry_after_seconds, limited=error.limited) from None


def _code(text: str) -> str:
    login = _LOGIN_CODE.search(text)
    if login is not None:
        return login[0]
    code = _CODE.search(text)
    return code[1] if code else ""
