"""Lets the ticket system of the demo's stack tell the gateway what people do there, as an operator sets it up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, assert_never
from urllib.parse import urlsplit

import httpx

from patchline.demo.psa import kind_of
from patchline.demo.typed import CommandLine, typed
from patchline.local.psa import Psa
from patchline.local.roundup import Roundup
from patchline.stack.programs import DESK, HOOK_FILE

_VENDOR: Final[Mapping[Psa, str]] = {
    Psa.ROUNDUP: "roundup",
    Psa.RT: "request-tracker",
    Psa.CONNECTWISE: "connectwise",
}


def hear(patchline: CommandLine, settings: Mapping[str, str]) -> None:
    """Add the ticket system as a source, and have it tell what happens to its tickets.

    Raises:
        httpx.HTTPError: it does not answer, or refuses to call back.
    """
    home, url, kind = Path(settings["PATCHLINE_HOME"]), settings["PATCHLINE_TRACKER_URL"], kind_of(settings)
    match kind:
        case Psa.ROUNDUP:
            added = _added(patchline, kind)
            Roundup(home / "roundup").tell(added["url"], added["secret"])
        case Psa.RT:  # it was started with the address and this secret
            _added(patchline, kind, "--given-secret-file", str(home / "secrets" / HOOK_FILE))
        case Psa.CONNECTWISE:
            added = _added(patchline, kind, "--key-host", urlsplit(url).netloc)
            _call_back(settings, added["url"])
        case _:
            assert_never(kind)


def _added(patchline: CommandLine, kind: Psa, *words: str) -> dict[str, Any]:
    [added] = typed(patchline, "source", "add", _VENDOR[kind], DESK, *words)
    shown: dict[str, Any] = added
    return shown


def _call_back(settings: Mapping[str, str], receiver: str) -> None:
    """Have ConnectWise call back about every ticket, also after our own writes: those echoes must do nothing.

    Source: the vendor's OpenAPI, `/system/callbacks`.
    """
    company = settings["PATCHLINE_CONNECTWISE_COMPANY"]
    public_key = Path(settings["PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE"]).read_text().strip()
    private_key = Path(settings["PATCHLINE_TRACKER_PASSWORD_FILE"]).read_text().strip()
    with httpx.Client(
        base_url=settings["PATCHLINE_TRACKER_URL"],
        auth=(f"{company}+{public_key}", private_key),
        headers={"clientId": settings["PATCHLINE_CONNECTWISE_CLIENT_ID"]},
        timeout=30,
        trust_env=False,
    ) as client:
        card = client.get(f"/login/companyinfo/{company}").raise_for_status().json()
        entry = {"type": "ticket", "level": "owner", "objectId": 1, "url": receiver, "description": "Patchline"}
        client.post(f"/{card['Codebase']}apis/3.0/system/callbacks", json=entry).raise_for_status()
