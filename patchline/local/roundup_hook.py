"""A detector for Roundup: copied into a tracker's `detectors/`, it tells Patchline what happens to an issue.

Facts only, no words of anyone: that there is a note, never the note. Signed over the very bytes. Where to tell stands
in `patchline-hook.json` in the tracker's home, `{"url": ..., "secret": ...}`, readable by the tracker alone; without
that file nothing is told. It imports nothing but Python's own library. Source: Roundup 2.6, customisation guide.
"""

import hashlib
import hmac
import json
import logging
import threading
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

FILE: Final = "patchline-hook.json"
TIMEOUT_SECONDS: Final = 3.0

log = logging.getLogger("patchline_hook")


def init(db: Any) -> None:
    """Tell of every issue that is made, changed, retired or restored. Roundup calls this for each detector."""
    for event in ("create", "set", "retire", "restore"):
        db.issue.react(event, _telling(event))


def _telling(event: str) -> Callable[[Any, Any, str, Any], None]:
    def tell(db: Any, _: Any, number: str, before: Any) -> None:
        try:
            hook = json.loads((Path(db.config.HOME) / FILE).read_text())
        except (OSError, ValueError):
            return
        body = json.dumps(_facts(db, number, before or {}, event)).encode()
        threading.Thread(target=_post, args=(hook, body), daemon=True).start()  # nobody at the tracker waits for it

    return tell


def _facts(db: Any, number: str, before: dict[str, Any], event: str) -> dict[str, Any]:
    issue = db.issue.getnode(number)
    notes = set(issue.messages) - set(before.get("messages") or [])
    return {
        "id": uuid.uuid4().hex,
        "event": event,
        "issue": number,
        "key": issue.correlation_key,
        "status": _status(db, issue.status),
        "was": "retired" if event == "restore" else _status(db, before.get("status")),
        "notes": len(notes) if event == "set" else 0,
        "by": db.user.get(db.getuid(), "username"),
        "at": datetime.now(UTC).isoformat(),
    }


def _status(db: Any, number: str | None) -> str | None:
    return None if number is None else db.status.get(number, "name")


def _post(hook: dict[str, str], body: bytes) -> None:
    signature = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-roundup-signature": signature}
    request = urllib.request.Request(hook["url"], body, headers)  # noqa: S310 - of the operator's own file
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            answer.read()
    except OSError as error:
        log.warning("patchline was not told: %s", error)
