"""Every way in over HTTP, as its rightful sender uses it: so that what it sends is believed, and then read."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from contracts import approval
from faults.input.decoders import at_the_gateway
from patchline.demo.typed import typed
from patchline.main import app
from services.gateway.registry.schemes import DEFAULT_HEADER, DEFAULT_HEADER_OF, DEFAULT_SCHEME, Scheme
from simulators.deliveries import signature

NAME: Final = "ugly"
KEY_HOST: Final = "127.0.0.1:1"
"""Where nobody serves a key: a callback that names another place is refused without being asked about."""

SOURCES: Final = (
    "patchline",
    "ninjaone",
    "datto",
    "glpi-agent",
    "request-tracker",
    "roundup",
    "connectwise",
    "exposure/patchline",
    "spycloud",
    "recorded-future",
    "graph",
)
Prove = Callable[[bytes, int, datetime], Mapping[str, str]]
"""Returns the headers that prove a body; the number tells deliveries apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One path and method of the gateway, with how its sender proves itself and true bodies to begin from."""

    path: str
    prove: Prove
    seeds: tuple[bytes, ...]
    method: str = "POST"


def registered(approval_key: Path) -> list[Way]:
    """Add a source for each vendor, as an operator does, and return every way in; those that nobody needs besides."""
    seeds = {each.name.partition(",")[0]: each.seeds for each in at_the_gateway() if each.name.endswith(", webhook")}
    ways = [way for vendor in SOURCES for way in _of_source(vendor, _seeds(seeds, vendor))]
    typed(get_command(app), "source", "add", "approval", "links")
    key = approval.key_in(approval_key.read_text())
    return [*ways, *_links(key), *_nobody(ways)]


def _seeds(by_name: Mapping[str, tuple[bytes, ...]], vendor: str) -> tuple[bytes, ...]:
    return by_name.get(vendor) or by_name[f"exposure/{vendor}"]


def _of_source(vendor: str, seeds: tuple[bytes, ...]) -> list[Way]:
    words = ("--key-host", KEY_HOST) if vendor == "connectwise" else ()
    [added] = typed(get_command(app), "source", "add", vendor, NAME, *words)
    path = (
        added["url"][added["url"].index("/", added["url"].find("://") + 3) :] if "://" in added["url"] else added["url"]
    )
    prove = _proof(vendor.rpartition("/")[2], added)
    if vendor == "graph":
        seeds = tuple(_with_state(each, added["secret"]) for each in seeds)
    ways = [Way(path=path, prove=prove, seeds=seeds)]
    if vendor == "patchline":
        ways.append(Way(path=f"{path}/bulk", prove=prove, seeds=seeds))
    if vendor == "glpi-agent":
        ways.append(Way(path=path, prove=prove, seeds=seeds, method="GET"))
    return ways


def _proof(vendor: str, added: Mapping[str, Any]) -> Prove:
    secret = str(added.get("secret", ""))
    match DEFAULT_SCHEME.get(vendor, Scheme.STANDARD_WEBHOOKS):
        case Scheme.STANDARD_WEBHOOKS:
            return lambda body, number, at: signature(f"msg_ugly_{number}", body, secret, at)
        case Scheme.STATIC_HEADER:
            return lambda _body, _number, _at: {DEFAULT_HEADER: secret}
        case Scheme.HMAC_SHA256:
            header = DEFAULT_HEADER_OF[vendor]
            return lambda body, _number, _at: {header: hmac.digest(secret.encode(), body, "sha256").hex()}
        case Scheme.BASIC:
            login = base64.b64encode(f"{added['user']}:{secret}".encode()).decode()
            return lambda _body, _number, _at: {"authorization": f"Basic {login}"}
        case _:
            return lambda _body, _number, _at: {"x-content-signature": "bm90IGEgc2lnbmF0dXJl"}


def _with_state(body: bytes, secret: str) -> bytes:
    """Return notifications that all have the subscription's own secret."""
    told = json.loads(body)
    for each in told.get("value", ()) if isinstance(told, dict) else ():
        each["clientState"] = secret
    return json.dumps(told).encode()


def _links(key: bytes) -> list[Way]:
    """Return the form of an approval, and the page of one, with a token that is signed as ours are."""
    claims = {"v": 1, "case": "none", "approver_digest": "none", "expires": 4_000_000_000, "nonce": "n"}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    token = f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), 'sha256')).rstrip(b'=').decode()}"
    form = f"token={token}&decision=approve".encode()
    return [
        Way(path="/approvals", prove=_nothing, seeds=(form,)),
        Way(path=f"/approvals/{token}", prove=_nothing, seeds=(b"",), method="GET"),
        Way(path=f"/approvals/{token[:-1]}", prove=_nothing, seeds=(b"",), method="GET"),
    ]


def _nobody(ways: list[Way]) -> list[Way]:
    """Return each source's way without a proof, a source that there is not, paths and methods that there are not."""
    forged = [Way(path=way.path, prove=_nothing, seeds=way.seeds) for way in ways]
    others = ("/", "/webhooks/rmm/nobody/none", "/webhooks/psa/nobody/none", "/agents/nobody/none", "/%00/%ff/..%2f")
    strange = [Way(path=path, prove=_nothing, seeds=(b"{}",)) for path in (*others, "/webhooks/rmm/" + "a" * 5000)]
    return [*forged, *strange, Way(path=ways[0].path, prove=_nothing, seeds=(b"{}",), method="PROPFIND")]


def _nothing(_body: bytes, _number: int, _at: datetime) -> Mapping[str, str]:
    return {}
