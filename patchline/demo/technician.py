"""A technician at the ticket system, by its own API and as a person: closes a ticket by hand.

Source: Roundup 2.6 documentation, `rest.txt`; RT 5.0, `lib/RT/REST2`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

import httpx

from patchline.demo.psa import kind_of
from patchline.local.psa import RT_HOME, Psa
from patchline.local.request_tracker import RequestTracker
from patchline.local.roundup import Roundup


async def close(settings: Mapping[str, str], number: str) -> None:
    """Close ticket `number`, as a person who thinks that it is done.

    Raises:
        httpx.HTTPError: the ticket system does not answer, or refuses.
    """
    home, url = Path(settings["PATCHLINE_HOME"]), settings["PATCHLINE_TRACKER_URL"].rstrip("/")
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        match kind_of(settings):
            case Psa.ROUNDUP:
                await _close_at_roundup(client, home, number)
            case Psa.RT:
                token = RequestTracker(home / RT_HOME).technician_token
                own = {"Authorization": f"token {token}"}
                answer = await client.put(f"/REST/2.0/ticket/{number}", headers=own, json={"Status": "resolved"})
                answer.raise_for_status()
            case Psa.CONNECTWISE:
                patch = [{"op": "replace", "path": "status", "value": {"name": "Completed"}}]
                deed = {"ticket": int(number), "patch": patch}
                (await client.put("/_sandbox", json={"deed": deed})).raise_for_status()
            case kind:
                assert_never(kind)


async def _close_at_roundup(client: httpx.AsyncClient, home: Path, number: str) -> None:
    login = Roundup(home / "roundup").admin_login
    auth, path = (login.name, login.password), f"/rest/data/issue/{number}"
    own = {"X-Requested-With": "rest", "Origin": str(client.base_url).rstrip("/")}
    shown = (await client.get(path, auth=auth)).raise_for_status()
    change = {"@op": "replace", "status": "resolved"}
    answer = await client.patch(path, auth=auth, headers={**own, "If-Match": shown.headers["etag"]}, json=change)
    answer.raise_for_status()
