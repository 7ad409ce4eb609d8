"""What agents are answered, in their own protocol: written and packed as they asked.

Source: the GLPI agent's code (Protocol/Message.pm, Protocol/Contact.pm, HTTP/Client.pm) for what it understands, and
the agents of Debian 12, which are asked in a test.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Final, assert_never

from services.gateway.door.answers import Answer, answer, problem
from services.gateway.vendors.agent_wire import Form, Packing

EVERY_HOURS: Final = 24
"""How often an agent is asked to report. Source: the default of the GLPI server."""

NOT_BELIEVED: Final = problem(
    401,
    "Unauthorized",
    "The source is not known, or its password is wrong. Check the URL, and user and password in the agent's "
    "configuration, or give the source a new password: patchline source rotate VENDOR SOURCE.",
    www_authenticate='Basic realm="patchline"',
)
"""The agents read the realm up to the last quotation mark of the header: nothing may follow it."""

WRONG_METHOD: Final = problem(405, "Method Not Allowed", "Agents deliver with POST.", allow="GET, POST")
NOTHING_TO_DO: Final = answer(200, b"{}", b"application/json")
"""What an agent is told that asks, with GET, for tasks other than an inventory."""

_NOT_OURS: Final = ("collect", "deploy", "esx", "netdiscovery", "netinventory", "wakeonlan")
_NOT_WANTED: Final = "process,environment"
"""Sections that hold secrets now and then and are never read here: a GLPI agent that is asked so leaves them out."""

_CONTENT_TYPE: Final[Mapping[Packing, bytes]] = {
    Packing.ZLIB: b"application/x-compress-zlib",
    Packing.GZIP: b"application/x-compress-gzip",
}
_PLAIN_TYPE: Final[Mapping[Form, bytes]] = {Form.XML: b"application/xml", Form.JSON: b"application/json"}


def prolog(packing: Packing) -> Answer:
    """Return the answer to PROLOG: send an inventory, and again a day later."""
    return _xml(f"<PROLOG_FREQ>{EVERY_HOURS}</PROLOG_FREQ><RESPONSE>SEND</RESPONSE>", packing)


def contact(packing: Packing) -> Answer:
    """Return the answer to CONTACT: an inventory every day, and nothing else."""
    told = {
        "status": "ok",
        "expiration": EVERY_HOURS,
        "tasks": {"inventory": {"server": "glpi", "no-category": _NOT_WANTED}},
        "disabled": _NOT_OURS,
    }
    return _json(told, packing)


def accepted(form: Form, packing: Packing) -> Answer:
    """Return the answer to a report that is durable."""
    match form:
        case Form.XML:
            return _xml("<RESPONSE>NO_ACCOUNT_UPDATE</RESPONSE>", packing)
        case Form.JSON:
            return _json({"status": "ok", "expiration": EVERY_HOURS}, packing)
        case _:
            assert_never(form)


def _xml(content: str, packing: Packing) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<REPLY>{content}</REPLY>\n'
    return _packed(text.encode(), Form.XML, packing)


def _json(content: Mapping[str, object], packing: Packing) -> Answer:
    return _packed(json.dumps(content).encode(), Form.JSON, packing)


def _packed(text: bytes, form: Form, packing: Packing) -> Answer:
    match packing:
        case Packing.ZLIB:
            body = zlib.compress(text)  # at the default level: agents look for its first two bytes
        case Packing.GZIP:
            body = gzip.compress(text, mtime=0)
        case Packing.PLAIN:
            body = text
        case _:
            assert_never(packing)
    return answer(200, body, _CONTENT_TYPE.get(packing, _PLAIN_TYPE[form]))
